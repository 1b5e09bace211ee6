VIEWS.deconvolution = {
  root: one('[data-view="deconvolution"]'),
  choices: [],
  start() {},
  enter() {},
  leave() {},
};
