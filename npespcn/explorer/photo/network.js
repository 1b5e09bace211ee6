// --- network: a small picture becomes a large one, in plain arithmetic. No page, no drawing. ---
//
// The same steps as npespcn.upscale(..., back_projection=False): luma through the network, color by
// bicubic interpolation.
// A network is [{k, inputs, outputs, weights, biases}, ...], one for each convolution. A map is
// {channels, h, w, data}: channel after channel, row after row.

const HALO = 4; // pixels on each side that one pixel of the output depends on: 2 + 1 + 1

// Unpack the weights: a scale and a bias for each filter, then whole numbers of 16 bits, of which
// all the lower bytes come before all the upper ones.
async function networkOf(r) {
  const deflated = new Blob([bytesOf(DATA.networks[r])]).stream();
  const stream = deflated.pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const layers = [
    { k: 5, inputs: 1, outputs: 64 },
    { k: 3, inputs: 64, outputs: 32 },
    { k: 3, inputs: 32, outputs: r * r },
  ];
  const filters = layers.reduce((sum, { outputs }) => sum + outputs, 0);
  const scales = new Float32Array(buffer, 0, filters);
  const biases = new Float32Array(buffer, 4 * filters, filters);
  const lower = new Uint8Array(buffer, 8 * filters);
  const upper = new Int8Array(buffer, 8 * filters).subarray(lower.length / 2);
  let [filter, at] = [0, 0];
  return layers.map((layer) => {
    const taps = layer.inputs * layer.k ** 2;
    const weights = new Float32Array(layer.outputs * taps);
    for (let n = 0; n < weights.length; n++) {
      const whole = 256 * upper[at + n] + lower[at + n];
      weights[n] = whole * scales[filter + Math.floor(n / taps)];
    }
    const bias = biases.slice(filter, filter + layer.outputs);
    filter += layer.outputs;
    at += weights.length;
    return { ...layer, weights, biases: bias };
  });
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// --- the convolutions ---
//
// These functions are the worker's whole program (see WORKER), so they use nothing from outside.

// The input and room for what each layer makes of it. No layer pads: each map is smaller.
function mapsFor(network, { h, w, data }) {
  const maps = [{ channels: 1, h, w, data }];
  for (const { k, outputs } of network) {
    const last = maps.at(-1);
    const size = { channels: outputs, h: last.h - k + 1, w: last.w - k + 1 };
    maps.push({ ...size, data: new Float32Array(outputs * size.h * size.w) });
  }
  return maps;
}

// Fill the maps. A row can be made as soon as the k rows below it are there, so the layers work one
// row after the other, and the network's first rows are ready early. Yields the rows that are.
function* forward(network, maps) {
  const steps = network.map((layer, n) => convolution(layer, maps[n], maps[n + 1], n < 2));
  for (let row = 0; row < maps[1].h; row++) {
    let at = row;
    steps.forEach((step, n) => {
      if (n > 0) at -= network[n].k - 1;
      if (at >= 0) step(at);
    });
    if (at >= 0) yield at + 1;
  }
}

// Return a function that makes one row of a layer. Nine products at a time is fastest: it spares
// reading and writing the sums. What is missing to a multiple of nine has a weight of 0.
function convolution({ k, inputs, outputs, weights, biases }, from, to, squashes) {
  const [taps, nines] = [inputs * k * k, Math.ceil((inputs * k * k) / 9) * 9];
  const places = new Int32Array(nines);
  for (let n = 0; n < taps; n++) {
    const [c, i, j] = [Math.floor(n / (k * k)), Math.floor(n / k) % k, n % k];
    places[n] = (c * from.h + i) * from.w + j;
  }
  const filters = new Float64Array(outputs * nines);
  for (let o = 0; o < outputs; o++)
    filters.set(weights.subarray(o * taps, (o + 1) * taps), o * nines);
  const sums = new Float64Array(to.w);
  return (row) => {
    for (let o = 0; o < outputs; o++) {
      sums.fill(biases[o]);
      for (let n = 0; n < nines; n += 9)
        addNine(sums, from.data, filters, o * nines + n, places, n, row * from.w);
      const at = (o * to.h + row) * to.w;
      for (let x = 0; x < to.w; x++) to.data[at + x] = squashes ? Math.tanh(sums[x]) : sums[x];
    }
  };
}

function addNine(sums, data, filters, f, places, n, row) {
  const [a, b, c, d, e] = filters.subarray(f, f + 5);
  const [g, h, i, j] = filters.subarray(f + 5, f + 9);
  const place = (m) => places[n + m] + row;
  const [A, B, C, D, E] = [place(0), place(1), place(2), place(3), place(4)];
  const [G, H, I, J] = [place(5), place(6), place(7), place(8)];
  for (let x = 0; x < sums.length; x++) {
    sums[x] +=
      a * data[A + x] + b * data[B + x] + c * data[C + x] + d * data[D + x] + e * data[E + x] +
      g * data[G + x] + h * data[H + x] + i * data[I + x] + j * data[J + x];
  }
}

// What a worker does with a job.
function work({ data: { network, input } }) {
  const maps = mapsFor(network, input);
  for (const rows of forward(network, maps)) postMessage({ rows });
  postMessage({ maps }, { transfer: maps.map(({ data }) => data.buffer) });
}

const WORKER = `${[mapsFor, forward, convolution, addNine, work].join("\n")}\nonmessage = work;`;

// --- one number, and all that made it ---

// How pixel (h, w) of map `o` of layer `n` (1, 2 or 3) came about: for each map below, the k by k
// pixels under the kernel, the weights, the products and their sum; then bias, sum and value.
function madeOf(network, maps, n, o, h, w) {
  const { k, inputs, weights, biases } = network[n - 1];
  const [from, to] = [maps[n - 1], maps[n]];
  const margin = (to.h - maps.at(-1).h) / 2; // of the map around the picture
  const [top, left] = [h + margin, w + margin];
  const parts = [];
  for (let c = 0; c < inputs; c++) {
    const part = { c, pixels: [], weights: [], products: [], sum: 0 };
    for (let i = 0; i < k; i++) {
      for (let j = 0; j < k; j++) {
        const pixel = from.data[(c * from.h + top + i) * from.w + left + j];
        const weight = weights[((o * inputs + c) * k + i) * k + j];
        part.pixels.push(pixel);
        part.weights.push(weight);
        part.products.push(pixel * weight);
        part.sum += pixel * weight;
      }
    }
    parts.push(part);
  }
  const sum = parts.reduce((total, part) => total + part.sum, biases[o]);
  const value = to.data[(o * to.h + top) * to.w + left];
  return { k, parts, bias: biases[o], sum, value };
}

// --- bicubic interpolation, as npespcn.pictures.resize ---
//
// An image is {height, width, data}, four bytes a pixel, as a canvas has it.

// Keys' cubic with a = -0.5.
function cubic(x) {
  const d = Math.abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

// What each of `count` pixels takes of the `size` pixels of a row: {places, weights}. Where the row
// ends, it is either cut off, as in Pillow, or its last pixel repeats.
function shares(size, count, repeats) {
  const step = size / count;
  const wide = Math.max(step, 1); // the cubic is stretched when shrinking, against aliasing
  return Array.from({ length: count }, (_, n) => {
    const center = (n + 0.5) * step;
    const [first, end] = [-1, 1].map((side) => Math.floor(center + side * 2 * wide + 0.5));
    const [places, weights] = [[], []];
    for (let at = first; at < end; at++) {
      const place = clamp(at, 0, size - 1);
      if (place !== at && !repeats) continue;
      places.push(place);
      weights.push(cubic((at + 0.5 - center) / wide));
    }
    const total = weights.reduce((sum, weight) => sum + weight);
    return { places, weights: weights.map((weight) => weight / total) };
  });
}

// Take shares of an axis of length `size`; `inner` numbers lie from one place of it to the next.
// Bytes are rounded, with Pillow's weights of 22 bits; floats are not.
function mix(data, inner, size, table) {
  const bytes = data instanceof Uint8ClampedArray;
  const outer = data.length / (inner * size);
  const mixed = new data.constructor(outer * table.length * inner);
  const fixed = (weight) => Math.sign(weight) * Math.round(Math.abs(weight) * 2 ** 22);
  const taken = table.map(({ places, weights }) => ({
    places,
    weights: bytes ? weights.map(fixed) : weights,
  }));
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const { places, weights } of taken) {
      for (let i = 0; i < inner; i++) {
        let sum = 0;
        for (let n = 0; n < places.length; n++)
          sum += weights[n] * data[(o * size + places[n]) * inner + i];
        mixed[at++] = bytes ? Math.floor(sum / 2 ** 22 + 0.5) : sum;
      }
    }
  }
  return mixed;
}

// MATLAB's way to shrink: columns first, the edge repeats. The sides must be multiples of r.
function shrunk({ height, width, data }, r) {
  const [h, w] = [height / r, width / r];
  const low = mix(data, 4 * width, height, shares(height, h, true));
  return { height: h, width: w, data: mix(low, 4, width, shares(width, w, true)) };
}

// Pillow's way to enlarge: rows first, the edge is cut off.
function enlarged(data, height, width, planes, r) {
  const wide = mix(data, planes, width, shares(width, width * r, false));
  return mix(wide, planes * width * r, height, shares(height, height * r, false));
}

const bicubic = ({ height, width, data }, r) => ({
  height: height * r,
  width: width * r,
  data: enlarged(data, height, width, 4, r),
});

// --- color, as npespcn.pictures.color: luma is from 16 to 235 ---

// A plane of an image: 0 is luma, 1 and 2 are blue and red chroma.
function planeOf({ data }, n) {
  const [red, green, blue] = DATA.ycbcr.matrix[n];
  const plane = new Float32Array(data.length / 4);
  for (let at = 0; at < plane.length; at++) {
    const [R, G, B] = [data[4 * at], data[4 * at + 1], data[4 * at + 2]];
    plane[at] = DATA.ycbcr.offset[n] + red * R + green * G + blue * B;
  }
  return plane;
}

// An image of luma, blue and red chroma. Where luma is NaN, it is black.
function imageOf(width, height, ...planes) {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  const { offset, inverse } = DATA.ycbcr;
  inverse.forEach(([luma, blue, red], n) => {
    const [y, cb, cr] = planes;
    for (let at = 0; at < y.length; at++) {
      const [u, v] = [cb[at] - offset[1], cr[at] - offset[2]];
      data[4 * at + n] = Math.floor(luma * (y[at] - offset[0]) + blue * u + red * v + 0.5);
    }
  });
  return { width, height, data };
}

// Luma divided by 255 with its edge repeated: what the network takes.
function inputOf(image) {
  const luma = planeOf(image, 0);
  const { height, width } = image;
  const [h, w] = [height + 2 * HALO, width + 2 * HALO];
  const inside = (at, size) => clamp(at - HALO, 0, size - 1);
  const data = new Float32Array(h * w);
  for (let y = 0; y < h; y++) {
    const row = inside(y, height) * width;
    for (let x = 0; x < w; x++) data[y * w + x] = luma[row + inside(x, width)] / 255;
  }
  return { h, w, data };
}

// Peak signal-to-noise ratio of the luma of two images, without r pixels at the edges, in decibels.
function psnr(a, b, r) {
  const { height, width } = a;
  const [x, y] = [a, b].map((image) => planeOf(image, 0).map((luma) => Math.floor(luma + 0.5)));
  let [sum, count] = [0, 0];
  for (let row = r; row < height - r; row++) {
    for (let col = r; col < width - r; col++, count++)
      sum += (x[row * width + col] - y[row * width + col]) ** 2;
  }
  return 10 * Math.log10((255 ** 2 * count) / sum);
}
