// --- picture: a file becomes pixels, and the network runs over them in workers ---

const LARGEST = 200; // pixels along each side that the network gets
const WORKERS = Math.min(4, navigator.hardwareConcurrency || 1);

const canvasOf = (width, height) => make("canvas", { width, height });

// A picture as the browser shows it: upright, sRGB.
async function openPicture(blob) {
  const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  return { bitmap, width: bitmap.width, height: bitmap.height };
}

// The pixels of a part of it, {width, height, data}. What is transparent lies on white.
function pixelsOf({ bitmap }, { left, top, width, height }) {
  const context = canvasOf(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, -left, -top);
  const isClear = (data) => data.some((value, n) => n % 4 === 3 && value < 255);
  const clear = isClear(context.getImageData(0, 0, width, height).data);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  return { clear, image: context.getImageData(0, 0, width, height) };
}

// One run of the network over an image. Cancelled, it tells nothing more.
class Run {
  constructor(network, image, { progress, done }) {
    Object.assign(this, { network, image, progress, done, started: performance.now() });
    this.input = inputOf(image);
    this.bands = this.cutBands(WORKERS);
    this.over = false;
    this.start();
  }

  // Bands of rows, each with a halo, so that they fit together without a seam.
  cutBands(count) {
    const { height } = this.image;
    const { w, data } = this.input;
    const edge = (n) => Math.round((n * height) / count);
    return [...Array(count).keys()]
      .map((n) => ({ top: edge(n), end: edge(n + 1), rows: 0 }))
      .filter(({ top, end }) => end > top)
      .map((band) => {
        const h = band.end - band.top + 2 * HALO;
        return { ...band, input: { h, w, data: data.slice(band.top * w, (band.top + h) * w) } };
      });
  }

  start() {
    this.url = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
    try {
      for (const band of this.bands) band.worker = this.employ(new Worker(this.url), band);
    } catch {
      this.workAlone();
    }
  }

  employ(worker, band) {
    worker.onmessage = ({ data }) => this.told(band, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.workAlone();
    };
    worker.postMessage({ network: this.network, input: band.input });
    return worker;
  }

  // A browser that allows no worker here: the page computes by itself, a little at a time.
  async workAlone() {
    if (this.over || this.alone) return;
    this.dismiss();
    this.alone = true;
    this.bands = this.cutBands(1);
    const [band] = this.bands;
    const maps = mapsFor(this.network, band.input);
    let pause = performance.now();
    for (const rows of forward(this.network, maps)) {
      if (this.over) return;
      this.told(band, { rows });
      if (performance.now() - pause < 30) continue;
      await new Promise((resolve) => setTimeout(resolve));
      pause = performance.now();
    }
    this.told(band, { maps });
  }

  told(band, { rows, maps }) {
    if (this.over) return;
    if (rows) band.rows = rows;
    if (maps) band.maps = maps;
    const ready = this.bands.reduce((sum, one) => sum + one.rows, 0);
    this.progress(ready / this.image.height);
    if (!this.bands.every((one) => one.maps)) return;
    const seconds = (performance.now() - this.started) / 1000;
    const workers = this.alone ? 0 : this.bands.length;
    this.cancel();
    this.done({ maps: this.joined(), seconds, workers });
  }

  // The maps of the whole picture. Where bands overlap, they have the same numbers.
  joined() {
    return mapsFor(this.network, this.input).map((map, n) => {
      if (n === 0) return map;
      for (const { top, maps } of this.bands) {
        const { h, data } = maps[n];
        for (let c = 0; c < map.channels; c++) {
          const rows = data.subarray(c * h * map.w, (c + 1) * h * map.w);
          map.data.set(rows, (c * map.h + top) * map.w);
        }
      }
      return map;
    });
  }

  dismiss() {
    for (const { worker } of this.bands) worker?.terminate();
    URL.revokeObjectURL(this.url);
  }

  cancel() {
    if (this.over) return;
    this.over = true;
    this.dismiss();
  }
}
