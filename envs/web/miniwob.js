// What MiniWoB++ pages need beyond page.js: start an episode, tell its instruction and its end. Judged by the page's own code.
(() => {
  if (window.top !== window && !(window.__page && window.__page.isPart)) return;
  // Pages that carry something (timers, widgets) from one episode into the next, and shed it when they get their own nodes back:
  // every episode is then the same as on a page loaded afresh (tests/envs/web/test_web_renewed.py), a tenth as slow.
  const RENEWED = /\/(book-flight|choose-date|click-pie-nodelay|focus-text|stock-market|use-autocomplete|use-slider)[^/]*\.html$/;
  let first = null;
  function renew() {
    const own = document.getElementById('wrap'), body = document.body, jq = window.jQuery, dates = jq && jq.datepicker;
    if (first === null) { first = {wrap: own.outerHTML.replaceAll('hasDatepicker', ''), nodes: new Set(body.children)}; return; }
    window.__page.leave();
    const calendar = dates && dates.dpDiv[0];
    for (const node of [...body.children]) {
      if (node === own || first.nodes.has(node) && node !== calendar) continue;
      if (jq) jq(node).remove(); else node.remove();
    }
    if (jq) jq.cleanData(own.querySelectorAll('*'));
    own.outerHTML = first.wrap;
    if (dates) {
      jq(document).off('mousedown');
      jq.datepicker = Object.assign(new dates.constructor(), {initialized: false, uuid: dates.uuid, version: dates.version});
    }
    if (window.onload) window.onload();
    for (const node of first.nodes) if (node.parentElement === body) body.append(node);  // behind what the page made while loading, as at first
  }
  window.__site = {
    // Pages without any timer or widget state may start many episodes; the others are loaded afresh (see miniwob.py).
    start(seed) {
      if (RENEWED.test(location.pathname)) renew();
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
    // An open list of suggestions lies over what follows its field. A browser without a layout cannot see that: taken to be so everywhere
    // for actions made by script, it keeps a policy from learning what a person's hand could not do.
    covers(node) {
      const jq = window.jQuery;
      if (!jq || node.closest('.ui-autocomplete')) return false;
      return [...document.querySelectorAll('.ui-autocomplete-input')].some((field) => {
        const list = jq(field).autocomplete('widget')[0];
        return list.style.display !== 'none' && list.firstElementChild && field.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING;
      });
    },
    skip: ['reward-display', 'sync-task-cover', 'click-canvas', 'attention-canvas', 'query'],
  };
})();
