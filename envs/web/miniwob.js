// What MiniWoB++ pages need beyond page.js: start an episode, tell its instruction and its end. Judged by the page's own code.
(() => {
  if (window.top !== window && !(window.__page && window.__page.isPart)) return;
  window.__site = {
    // Pages without any timer or widget state may start many episodes; the others are loaded afresh (see miniwob.py).
    start(seed) {
      core.EPISODE_MAX_TIME = 1e12;  // no wall-clock decay: the horizon ends episodes
      core.endEpisode(0);
      if (window.jQuery) window.jQuery.fx.off = true;
      Math.seedrandom(seed);
      core.setDataMode('train');
      core.startEpisodeReal();
    },
    ready() { return typeof WOB_TASK_READY === 'undefined' || WOB_TASK_READY === true; },
    state() {
      const told = core.getUtterance();
      const words = typeof told === 'string' ? told : told.utterance;
      return [words, WOB_DONE_GLOBAL, WOB_DONE_GLOBAL ? WOB_RAW_REWARD_GLOBAL : 0];
    },
    skip: ['reward-display', 'sync-task-cover', 'click-canvas', 'attention-canvas', 'query'],
  };
})();
