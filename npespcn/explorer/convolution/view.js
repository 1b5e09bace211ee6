VIEWS.convolution = {
  root: one('[data-view="convolution"]'),
  choices: [],
  start() {},
  enter() {},
  leave() {},
};
