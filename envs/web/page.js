// Runs in every page before the page's own scripts: a virtual clock, a flat list of elements, and the agent's actions.
// It knows no site: `__site` (an adapter script) starts episodes and tells instruction and end. What is said of it to the outside,
// and how several pages in frames speak as one, is in agent.js.
(() => {
  if (window.__page) return;

  // ---- in every frame: nothing may block the page, open another, or speak past the guarded network ----
  window.alert = () => undefined;
  window.confirm = () => true;
  window.prompt = () => null;
  window.print = () => undefined;
  window.open = () => null;
  for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport', 'SharedWorker'])
    try { delete window[name]; window[name] = undefined; } catch (error) { /* not there */ }

  // Links to other programs (mail, telephone, any scheme but the web's) would put a question of the browser's own over the page.
  const foreign = (url) => !/^(https?|about|blob|data|javascript):/i.test(url);
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href],area[href]') : null;
    if (link && foreign(String(link.href))) event.preventDefault();
  }, true);
  if (window.navigation) window.navigation.addEventListener('navigate', (event) => {
    if (event.cancelable && foreign(event.destination.url)) event.preventDefault();
  });
  const framed = window.top !== window;
  let isPart = false;
  try { isPart = framed && window.parent === window.top && !!window.parent.__parts; } catch (error) { /* another origin */ }
  if (framed && !isPart) return;

  // ---- virtual clock: page time moves only when the agent acts ----
  const nextFrame = window.requestAnimationFrame ? window.requestAnimationFrame.bind(window) : (run) => run();
  const RealDate = Date, EPOCH = RealDate.UTC(2016, 5, 15, 9, 0, 0);
  let now = 0, nextTimer = 1;
  const timers = new Map();
  function FakeDate(...given) {
    if (!new.target) return new RealDate(EPOCH + now).toString();
    return Reflect.construct(RealDate, given.length ? given : [EPOCH + now], new.target);
  }
  FakeDate.prototype = RealDate.prototype;
  Object.setPrototypeOf(FakeDate, RealDate);
  FakeDate.now = () => EPOCH + now;
  RealDate.prototype.constructor = FakeDate;
  window.Date = FakeDate;
  const add = (run, delay, every, given) => {
    const id = nextTimer++;
    const call = typeof run === 'function' ? run : new Function(String(run));
    timers.set(id, {id, at: now + Math.max(0, +delay || 0), every, call, given});
    return id;
  };
  window.setTimeout = (run, delay, ...given) => add(run, delay, null, given);
  window.setInterval = (run, delay, ...given) => add(run, delay, Math.max(4, +delay || 0), given);
  window.clearTimeout = window.clearInterval = (id) => { timers.delete(id); };
  window.requestAnimationFrame = (run) => add(() => run(now), 16, null, []);
  window.cancelAnimationFrame = window.clearTimeout;
  try { performance.now = () => now; } catch (error) { /* a browser that forbids it */ }
  function advance(ms) {
    const end = now + ms;
    for (let guard = 0; guard < 20000; guard++) {
      let next = null;
      for (const timer of timers.values())
        if (timer.at <= end && (!next || timer.at < next.at || (timer.at === next.at && timer.id < next.id))) next = timer;
      if (!next) break;
      now = Math.max(now, next.at);
      if (next.every === null) timers.delete(next.id); else next.at = now + next.every;
      try { next.call.apply(window, next.given); } catch (error) { /* the page's own fault, as without us */ }
    }
    now = end;
  }
  function rewind() { for (const timer of timers.values()) timer.at -= now; now = 0; }

  // ---- what an agent sees ----
  const IGNORED = new Set(['SCRIPT', 'STYLE', 'LINK', 'META', 'HEAD', 'TITLE', 'BR', 'HR', 'NOSCRIPT', 'TEMPLATE', 'TBODY', 'THEAD']);
  const ACTIVE = new Set(['A', 'BUTTON', 'INPUT', 'TEXTAREA', 'SELECT', 'OPTION', 'LABEL', 'SUMMARY', 'CANVAS']);
  const SHAPES = new Set(['rect', 'circle', 'ellipse', 'line', 'polygon', 'polyline', 'path', 'text', 'tspan']);
  const FREE_TEXT = new Set(['text', 'password', 'search', 'email', 'number', 'tel', 'url', 'date', 'time', 'color', 'range', 'datetime-local', 'month', 'week']);
  const MOST = 400;
  let nodes = [], history = new Map(), said = new Map(), last = null, clipboard = '', inUse = !isPart;
  const squeeze = (text, most) => text.replace(/\s+/g, ' ').trim().slice(0, most);
  const plain = (word) => /^(ui-id-|ui-accordion-|ui-state-(hover|focus)$|jquery|hasDatepicker|dp\d)/.test(word) || word.length > 40 ? '' : word;

  function ownText(node) {
    let text = '';
    for (let child = node.firstChild; child; child = child.nextSibling) if (child.nodeType === 3) text += child.data + ' ';
    return squeeze(text, 160);
  }
  const is_rich = (node) => /^(true|)$/.test(node.getAttribute('contenteditable') ?? 'no');
  function isEditable(node) {
    if (node.tagName === 'TEXTAREA') return !node.disabled && !node.readOnly;
    if (node.tagName === 'INPUT') return FREE_TEXT.has(node.type) && !node.disabled && !node.readOnly;
    return is_rich(node);
  }
  function plain_colour(text) {  // browsers say the same colour in different ways
    const found = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(text.replace(/^#(.)(.)(.)$/, '#$1$1$2$2$3$3'));
    return found ? `rgb(${found.slice(1).map((part) => parseInt(part, 16)).join(',')})` : text.replace(/\s+/g, '');
  }
  // Whether the page shows a hand over an element, read from its style sheets: not every browser computes styles that descend.
  let handy = null, hands = new Set();
  function find_hands() {
    if (handy === null) {
      handy = [];
      for (const sheet of document.styleSheets) {
        try { for (const rule of sheet.cssRules) if (rule.style && rule.style.cursor === 'pointer') handy.push(rule.selectorText); } catch (error) { /* not ours */ }
      }
    }
    hands = new Set();
    try { if (handy.length) hands = new Set(document.querySelectorAll(handy.join(','))); } catch (error) { /* a selector it does not know */ }
  }
  // Where a drawn shape is within its drawing, from what it says of itself: the same in browsers with and without a layout.
  function drawn_box(node) {
    const number = (name) => parseFloat(node.getAttribute(name)) || 0, tag = node.tagName;
    const span = (xs, ys) => [Math.min(...xs), Math.min(...ys), Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
    let box = [number('x'), number('y'), number('width'), number('height')];
    if (tag === 'circle' || tag === 'ellipse') {
      const wide = number('r') || number('rx'), high = number('r') || number('ry');
      box = [number('cx') - wide, number('cy') - high, 2 * wide, 2 * high];
    } else if (tag === 'line') box = span([number('x1'), number('x2')], [number('y1'), number('y2')]);
    else if (tag === 'polygon' || tag === 'polyline' || tag === 'path') {
      const all = ((node.getAttribute('points') || node.getAttribute('d') || '').match(/-?\d*\.?\d+(?:e-?\d+)?/gi) || ['0', '0']).map(Number);
      box = span(all.filter((_, place) => place % 2 === 0), all.filter((_, place) => place % 2 === 1).concat(all.length === 1 ? [0] : []));
    } else if (tag === 'text' || tag === 'tspan') {
      const size = number('font-size') || 16, wide = 0.55 * size * (node.textContent || '').length;
      const central = /central|middle/.test(node.getAttribute('alignment-baseline') || node.getAttribute('dominant-baseline') || '');
      box = [number('x') - (node.getAttribute('text-anchor') === 'middle' ? wide / 2 : 0), number('y') - size * (central ? 0.5 : 0.9), wide, size * 1.1];
    }
    for (let up = node; up && up.nodeType === 1 && up.tagName.toLowerCase() !== 'svg'; up = up.parentElement) {
      const moved = /translate\(\s*([-\d.]+)(?:[ ,]+([-\d.]+))?/.exec(up.getAttribute('transform') || '');
      if (moved) { box[0] += +moved[1]; box[1] += +(moved[2] || 0); }
    }
    return tag === 'CANVAS' ? [0, 0, node.width || 0, node.height || 0] : box;
  }
  function words(node) {
    const found = [], has = node.getAttributeNames();
    if (!has.length) return '';
    for (const name of ['id', 'name', 'placeholder', 'title', 'alt', 'aria-label', 'data-color', 'fill', 'type', 'role', 'href']) {
      const given = has.includes(name) ? node.getAttribute(name) : '';
      if (given) found.push(...given.split(/\s+/).map(plain));
    }
    const kind = node.getAttribute('class');
    if (kind) found.push(...kind.split(/\s+/).map(plain));
    const source = node.getAttribute('src');
    if (source) found.push(source.split('/').pop().split('.')[0]);
    const back = node.hasAttribute('style') && node.style ? node.style.backgroundColor || '' : '';
    if (back && !node.hasAttribute('data-color') && !/^rgba\(0, 0, 0, 0\)|transparent|initial|inherit/.test(back)) found.push(plain_colour(back));
    return [...new Set(found.filter(Boolean))].join(' ').slice(0, 160);
  }
  function around(node, own) {
    let block = node;
    for (let depth = 0; depth < 4 && block.parentElement && block.parentElement !== document.body; depth++) {
      block = block.parentElement;
      let text = said.get(block);
      if (text === undefined) said.set(block, text = squeeze(block.textContent || '', 241));
      if (text.length > 240) return '';
      if (text.length > own.length + 1) return text;
    }
    return '';
  }
  function row(node, style, own, hand) {
    const tag = node.tagName, input = tag === 'INPUT', box = node.getBoundingClientRect();
    const past = history.get(node) || [0, 0];
    const option = tag === 'OPTION';
    const ticked = option ? node.selected : input && (node.type === 'checkbox' || node.type === 'radio') ? node.checked
      : node.getAttribute('aria-selected') === 'true' || node.getAttribute('aria-expanded') === 'true';
    const free = isEditable(node);
    const scrolls = (style.overflowY === 'scroll' || style.overflowY === 'auto' || tag === 'TEXTAREA') && node.scrollHeight > node.clientHeight + 1;
    const active = ACTIVE.has(tag) || free || SHAPES.has(tag) || hand || node.hasAttribute('onclick') || node.hasAttribute('tabindex');
    const bits = +active | +free << 1 | +!!ticked << 2 | +!!node.disabled << 3 | +(inUse && document.activeElement === node) << 4 | +scrolls << 5 | +(last === node) << 6;
    const value = free || tag === 'SELECT' || input ? String(tag === 'SELECT' ? (node.selectedOptions[0] || {text: ''}).text : 'value' in node ? node.value : node.textContent) : '';
    const [left, top, width, height] = SHAPES.has(tag) || tag === 'CANVAS' ? drawn_box(node) : [box.left + scrollX, box.top + scrollY, box.width, box.height];
    return [tag.toLowerCase() + (input ? ':' + node.type : ''), own, squeeze(value, 160), words(node), around(node, own), bits, past[0], past[1],
      Math.round(left), Math.round(top), Math.round(width), Math.round(height)];
  }
  function collect() {
    const rows = [], skip = new Set(window.__site ? window.__site.skip : []);
    nodes = [];
    said = new Map();
    find_hands();
    const visit = (node, above) => {
      if (nodes.length >= MOST || IGNORED.has(node.tagName) && !node.firstElementChild || skip.has(node.id)) return;
      const style = getComputedStyle(node);
      if (style.display === 'none' && node.tagName !== 'OPTION') return;
      const unseen = style.visibility === 'hidden', hand = above || hands.has(node) || !!node.style && node.style.cursor === 'pointer';
      if (!unseen && node !== document.body && !IGNORED.has(node.tagName)) {
        const own = ownText(node), leaf = !node.firstElementChild;
        const named = leaf && (node.id || node.getAttribute('class') || node.getAttribute('data-color'));
        if (own || named || ACTIVE.has(node.tagName) || SHAPES.has(node.tagName) || node.tagName === 'IMG' || isEditable(node)
            || node.hasAttribute('onclick') || (hand && leaf)) {
          nodes.push(node);
          rows.push(row(node, style, own, hand));
        }
      }
      if (!(node.tagName === 'DIV' && is_rich(node))) for (let child = node.firstElementChild; child; child = child.nextElementSibling) visit(child, hand);
    };
    if (document.body) visit(document.body, false);
    return rows;
  }

  // ---- what an agent does ----
  function centre(node) {
    const box = node.getBoundingClientRect();
    return {clientX: box.left + box.width / 2, clientY: box.top + box.height / 2};
  }
  function mouse(node, kind, extra) {
    node.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true, view: window, button: 0, detail: 1, ...centre(node), ...extra}));
  }
  function told(node, kind) { node.dispatchEvent(new Event(kind, {bubbles: true, cancelable: true})); }
  function focus(node) {
    let target = node;
    while (target && target !== document.body && !(target.tabIndex >= 0 || is_rich(target))) target = target.parentElement;
    if (target && target !== document.body && target.focus) { if (document.activeElement !== target) target.focus(); }
    else if (document.activeElement && document.activeElement !== document.body) document.activeElement.blur();
  }
  function choose(option) {
    const list = option.closest('select');
    if (!list || list.disabled || option.disabled) return;
    if (list.multiple) option.selected = !option.selected; else list.value = option.value, option.selected = true;
    told(list, 'input');
    told(list, 'change');
  }
  function click(node) {
    if (node.tagName === 'OPTION') return choose(node);
    mouse(node, 'mouseover');
    mouse(node, 'mousemove');
    mouse(node, 'mousedown', {buttons: 1});
    focus(node);
    mouse(node, 'mouseup');
    if (node instanceof HTMLElement) node.click(); else mouse(node, 'click');
  }
  const KEYS = {Enter: 13, Tab: 9, Escape: 27, Backspace: 8, ArrowUp: 38, ArrowDown: 40, ArrowLeft: 37, ArrowRight: 39};
  function key(node, kind, name) {
    const code = KEYS[name] || name.toUpperCase().charCodeAt(0);
    const event = new KeyboardEvent(kind, {key: name, bubbles: true, cancelable: true, view: window});
    for (const field of ['keyCode', 'which', 'charCode']) {
      const shown = kind === 'keypress' ? (KEYS[name] || name.charCodeAt(0)) : field === 'charCode' ? 0 : code;
      Object.defineProperty(event, field, {get: () => shown});
    }
    return node.dispatchEvent(event);
  }
  function write(node, text) {
    if (is_rich(node)) { node.textContent = text; return; }
    const kind = node.tagName === 'TEXTAREA' ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, 'value').set.call(node, text);
  }
  function inForm(node, text) {  // dates and times as their fields store them
    let found = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text);
    if (node.type === 'date' && found) return `${found[3]}-${found[1].padStart(2, '0')}-${found[2].padStart(2, '0')}`;
    found = /^(\d{1,2}):(\d\d) ?([AaPp])?/.exec(text);
    if (node.type === 'time' && found) {
      const hour = found[3] ? (+found[1] % 12) + (/p/i.test(found[3]) ? 12 : 0) : +found[1];
      return `${String(hour).padStart(2, '0')}:${found[2]}`;
    }
    return text;
  }
  function type(node, text) {
    if (!isEditable(node)) return;
    focus(node);
    const whole = ['date', 'time', 'range', 'color', 'number'].includes(node.type) || is_rich(node);
    if (whole) { write(node, inForm(node, text)); told(node, 'input'); } else {
      write(node, '');
      for (let count = 1; count <= text.length; count++) {
        const letter = text[count - 1];
        if (key(node, 'keydown', letter) && key(node, 'keypress', letter)) { write(node, text.slice(0, count)); told(node, 'input'); }
        key(node, 'keyup', letter);
      }
      if (!text) told(node, 'input');
    }
    told(node, 'change');
  }
  function step_focus() {
    const all = [...document.querySelectorAll('a[href],button,input,select,textarea,[tabindex],[contenteditable]')]
      .filter((node) => node.tabIndex >= 0 && !node.disabled && node.offsetParent !== null);
    if (all.length) all[(all.indexOf(document.activeElement) + 1) % all.length].focus();
  }
  function press(name) {
    const node = document.activeElement || document.body;
    if (key(node, 'keydown', name) && (name === 'Enter' ? key(node, 'keypress', name) : true)) {
      if (name === 'Tab') step_focus();
      if (name === 'Backspace' && isEditable(node) && node.value) { write(node, node.value.slice(0, -1)); told(node, 'input'); }
      if (name === 'Enter' && node.tagName === 'TEXTAREA') { write(node, node.value + '\n'); told(node, 'input'); }
      else if (name === 'Enter' && node.form && node.tagName === 'INPUT') { node.form.requestSubmit ? node.form.requestSubmit() : told(node.form, 'submit'); }
      else if (name === 'Enter' && (node.tagName === 'BUTTON' || node.tagName === 'A')) node.click();
      if (node.tagName === 'SELECT' && (name === 'ArrowDown' || name === 'ArrowUp')) {
        const next = node.selectedIndex + (name === 'ArrowDown' ? 1 : -1);
        if (next >= 0 && next < node.options.length) { node.selectedIndex = next; told(node, 'input'); told(node, 'change'); }
      }
    }
    key(node, 'keyup', name);
  }
  function scroll(way) {
    let node = last;
    const rolls = (one) => one.scrollHeight > one.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(one).overflowY) || (one.tagName === 'TEXTAREA' && one.scrollHeight > one.clientHeight + 1);
    while (node && node.nodeType === 1 && !rolls(node)) node = node.parentElement;
    if (!node) node = [...document.querySelectorAll('body *')].find(rolls) || document.scrollingElement;
    node.scrollTop += (way === 'up' ? -1 : 1) * Math.max(20, node.clientHeight * 3);
    node.dispatchEvent(new Event('scroll'));
  }
  function note(node, verb) {
    const past = history.get(node) || [0, 0];
    if (verb === 'click') history.set(node, [past[0] + 1, past[1]]);
    else if (verb === 'type') history.set(node, [past[0], past[1] + 1]);
    last = node;
    if (verb === 'copy') clipboard = String('value' in node && node.tagName !== 'BUTTON' ? node.value : node.textContent).slice(0, 2000);
  }
  const present = (index) => (index >= 0 && nodes[index] && nodes[index].isConnected ? nodes[index] : null);
  function act(verb, index, text, byHand) {
    const node = present(index);
    if (index >= 0 && !node) return;
    if (node) note(node, verb);
    if (byHand || node && window.__site && window.__site.covers && window.__site.covers(node)) return;
    if (verb === 'click') click(node);
    else if (verb === 'type') type(node, text);
    else if (verb === 'press') press(text);
    else if (verb === 'scroll') scroll(text);
  }

  // ---- where a hand would have to press ----
  const SPOTS = [];
  for (let across = -6; across <= 6; across++) for (let down = -6; down <= 6; down++) SPOTS.push([across / 13, down / 13]);
  SPOTS.sort((one, two) => Math.hypot(...one) - Math.hypot(...two));
  function spot(boxes, fits) {  // the fitting point nearest to the middle of what is in view
    for (const box of boxes) {
      const left = Math.max(box.left, 0), top = Math.max(box.top, 0);
      const width = Math.min(box.right, innerWidth) - left, height = Math.min(box.bottom, innerHeight) - top;
      if (width <= 0 || height <= 0) continue;
      for (const [across, down] of SPOTS) {
        const point = [left + width * (0.5 + across), top + height * (0.5 + down)];
        if (fits(document.elementFromPoint(...point))) return point;
      }
    }
    return null;
  }
  function find_spot(node) {
    const own = (hit) => hit && (hit === node || node.contains(hit));
    const through = (hit) => hit && hit.contains(node) && hit !== document.body && hit !== document.documentElement;
    const boxes = () => [...node.getClientRects()];
    let point = spot(boxes(), own);
    if (!point) { node.scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'}); point = spot(boxes(), own); }
    return point || spot(boxes(), through);
  }
  function outside([x, y]) {  // from the coordinates of this frame to those of the whole page
    if (!framed) return [x, y];
    window.frameElement.scrollIntoView({block: 'nearest', inline: 'nearest', behavior: 'instant'});
    const box = window.frameElement.getBoundingClientRect();
    return [x + box.left, y + box.top];
  }
  function aim(index) {
    const node = present(index);
    if (!node) return null;
    const list = node.tagName === 'OPTION' ? node.closest('select') : null;
    const drops = list && !list.multiple && list.size <= 1;
    const target = drops ? list : node, point = find_spot(target);
    if (!point) return null;
    const kind = ['date', 'time'].includes(node.type) ? node.type : '';
    if (kind) point[0] = node.getBoundingClientRect().left + 8;  // the first of its fields
    const [x, y] = outside(point);
    const usable = list && !list.disabled && !node.disabled && drops;
    const enabled = list ? [...list.options].filter((one) => !one.disabled) : [];
    return {x, y, free: isEditable(node), kind, many: !!(list && list.multiple),
      moves: usable ? enabled.indexOf(node) - Math.max(0, enabled.indexOf(list.selectedOptions[0])) : null};
  }
  function roll(index) {  // what a wheel would have to turn, and how far
    let node = present(index) || last;
    const rolls = (one) => one.scrollHeight > one.clientHeight + 1 && (/auto|scroll/.test(getComputedStyle(one).overflowY) || one.tagName === 'TEXTAREA');
    while (node && node.nodeType === 1 && !rolls(node)) node = node.parentElement;
    if (!node || node.nodeType !== 1) node = [...document.querySelectorAll('body *')].find(rolls) || document.scrollingElement;
    const point = find_spot(node) || [innerWidth / 2, innerHeight / 2], [x, y] = outside(point);
    return {x, y, far: Math.max(20, node.clientHeight * 3)};
  }

  // ---- one page, or one of several ----
  let ready = true;
  window.__page = {
    isPart, nextFrame,
    now() { return now; },
    leave() { timers.clear(); window.__page.rest(); },
    rest() { history = new Map(); last = null; clipboard = ''; rewind(); },
    begin() { advance(200); return !!window.__site; },
    start(seed) {
      if (document.activeElement && document.activeElement !== document.body) document.activeElement.blur();
      for (const node of document.querySelectorAll('input,textarea,option')) {
        if (node.tagName === 'OPTION') node.selected = node.defaultSelected;
        else if (node.type === 'checkbox' || node.type === 'radio') node.checked = node.defaultChecked;
        else if (node.type !== 'file') node.value = node.defaultValue;
        if (node.scrollTop) node.scrollTop = 0;
      }
      window.__page.rest();
      inUse = !isPart;
      window.__site.start(seed);
      ready = window.__site.ready();
      for (let wait = 0; !ready && wait < 100; wait++) { advance(50); ready = window.__site.ready(); }
      advance(50);
      return ready;
    },
    use(yes) { inUse = yes; if (!yes) last = null; },
    state() { return window.__site.state(); },
    copied() { return clipboard; },
    paste(text) { clipboard = text; },
    collect, act, advance, aim, roll,
  };
})();
