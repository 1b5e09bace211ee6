VIEWS.downhill = {
  root: one('[data-view="downhill"]'),
  choices: [],
  start() {},
  enter() {},
  leave() {},
};
