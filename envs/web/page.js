// Runs in every page before the page's own scripts: a virtual clock, a flat list of elements, and the agent's actions.
// It knows no site: `__site` (an adapter script) starts episodes and tells instruction and end.
(() => {
  if (window.__agent) return;

  // ---- in every frame: nothing may block the page, open another, or speak past the guarded network ----
  window.alert = () => undefined;
  window.confirm = () => true;
  window.prompt = () => null;
  window.print = () => undefined;
  window.open = () => null;
  for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport', 'SharedWorker'])
    try { delete window[name]; window[name] = undefined; } catch (error) { /* not there */ }

  if (window.top !== window) return;

  // ---- virtual clock: page time moves only when the agent acts ----
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
  let nodes = [], history = new Map(), said = new Map(), last = null, clipboard = '';
  const squeeze = (text, most) => text.replace(/\s+/g, ' ').trim().slice(0, most);
  const plain = (word) => /^(ui-id-|ui-accordion-|jquery|hasDatepicker|dp\d)/.test(word) || word.length > 40 ? '' : word;

  function ownText(node) {
    let text = '';
    for (const child of node.childNodes) if (child.nodeType === 3) text += child.data + ' ';
    return squeeze(text, 160);
  }
  function isEditable(node) {
    if (node.tagName === 'TEXTAREA') return !node.disabled && !node.readOnly;
    if (node.tagName === 'INPUT') return FREE_TEXT.has(node.type) && !node.disabled && !node.readOnly;
    return node.isContentEditable === true && !(node.parentElement && node.parentElement.isContentEditable);
  }
  function words(node, style) {
    const found = [];
    for (const name of ['id', 'name', 'placeholder', 'title', 'alt', 'aria-label', 'data-color', 'fill', 'type', 'role', 'href']) {
      const given = node.getAttribute(name);
      if (given) found.push(...given.split(/\s+/).map(plain));
    }
    const kind = node.getAttribute('class');
    if (kind) found.push(...kind.split(/\s+/).map(plain));
    const source = node.getAttribute('src');
    if (source) found.push(source.split('/').pop().split('.')[0]);
    const back = style.backgroundColor;
    if (node.hasAttribute('style') && back && !/^rgba\(0, 0, 0, 0\)|transparent/.test(back)) found.push(back.replace(/\s+/g, ''));
    return found.filter(Boolean).join(' ').slice(0, 160);
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
  function row(node, style, own) {
    const tag = node.tagName, input = tag === 'INPUT', box = node.getBoundingClientRect();
    const past = history.get(node) || [0, 0];
    const option = tag === 'OPTION';
    const ticked = option ? node.selected : input && (node.type === 'checkbox' || node.type === 'radio') ? node.checked
      : node.getAttribute('aria-selected') === 'true' || node.getAttribute('aria-expanded') === 'true';
    const free = isEditable(node);
    const scrolls = (style.overflowY === 'scroll' || style.overflowY === 'auto' || tag === 'TEXTAREA') && node.scrollHeight > node.clientHeight + 1;
    const active = ACTIVE.has(tag) || free || SHAPES.has(tag) || style.cursor === 'pointer' || node.hasAttribute('onclick') || node.hasAttribute('tabindex');
    const bits = +active | +free << 1 | +!!ticked << 2 | +!!node.disabled << 3 | +(document.activeElement === node) << 4 | +scrolls << 5 | +(last === node) << 6;
    const value = free || tag === 'SELECT' || input ? String(tag === 'SELECT' ? (node.selectedOptions[0] || {text: ''}).text : 'value' in node ? node.value : node.textContent) : '';
    const frame = SHAPES.has(tag) && node.ownerSVGElement ? node.ownerSVGElement.getBoundingClientRect() : null;
    const left = frame ? box.left - frame.left : box.left + scrollX, top = frame ? box.top - frame.top : box.top + scrollY;
    return [tag.toLowerCase() + (input ? ':' + node.type : ''), own, squeeze(value, 160), words(node, style), around(node, own), bits, past[0], past[1],
      Math.round(left), Math.round(top), Math.round(box.width), Math.round(box.height)];
  }
  function collect() {
    const rows = [], skip = new Set(window.__site ? window.__site.skip : []);
    nodes = [];
    said = new Map();
    const visit = (node) => {
      if (nodes.length >= MOST || IGNORED.has(node.tagName) && node.children.length === 0 || skip.has(node.id)) return;
      const style = getComputedStyle(node);
      if (style.display === 'none' && node.tagName !== 'OPTION') return;
      const unseen = style.visibility === 'hidden';
      if (!unseen && node !== document.body && !IGNORED.has(node.tagName)) {
        const own = ownText(node), leaf = node.children.length === 0;
        const named = leaf && (node.id || node.getAttribute('class'));
        if (own || named || ACTIVE.has(node.tagName) || SHAPES.has(node.tagName) || node.tagName === 'IMG' || isEditable(node)
            || node.hasAttribute('onclick') || (style.cursor === 'pointer' && leaf)) {
          nodes.push(node);
          rows.push(row(node, style, own));
        }
      }
      if (!(node.tagName === 'DIV' && node.isContentEditable)) for (const child of node.children) visit(child);
    };
    if (document.body) visit(document.body);
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
    while (target && target !== document.body && !(target.tabIndex >= 0 || target.isContentEditable)) target = target.parentElement;
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
    if (node.isContentEditable) { node.textContent = text; return; }
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
    const whole = ['date', 'time', 'range', 'color', 'number'].includes(node.type) || node.isContentEditable;
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
  function act(verb, index, text) {
    const node = index >= 0 ? nodes[index] : null;
    if (index >= 0 && (!node || !node.isConnected)) return;
    const past = node ? history.get(node) || [0, 0] : null;
    if (verb === 'click') { history.set(node, [past[0] + 1, past[1]]); last = node; click(node); }
    else if (verb === 'type') { history.set(node, [past[0], past[1] + 1]); last = node; type(node, text); }
    else if (verb === 'copy') { last = node; clipboard = String('value' in node && node.tagName !== 'BUTTON' ? node.value : node.textContent).slice(0, 2000); }
    else if (verb === 'press') press(text);
    else if (verb === 'scroll') scroll(text);
  }

  // ---- the three calls from outside; each returns one string ----
  let ready = true;
  function tell(rows) {
    const [instruction, ended, reward] = window.__site.state();
    return JSON.stringify({u: squeeze(instruction, 2000), e: rows, d: ended, r: reward, t: now, c: clipboard, y: ready});
  }
  function clutter(texts) {
    const old = document.getElementById('__clutter');
    if (old) old.remove();
    if (!texts.length) return;
    const block = document.createElement('div');
    block.id = '__clutter';
    block.style.cssText = 'position:absolute;left:165px;top:0;width:150px;';
    texts.forEach((text, index) => {
      const node = document.createElement(['p', 'span', 'button'][index % 3]);
      node.textContent = text;
      if (node.tagName === 'BUTTON') node.type = 'button';
      block.appendChild(node);
    });
    document.body.appendChild(block);
  }
  window.__agent = {
    begin() { advance(200); return String(!!window.__site); },
    reset(seed, texts) {
      if (document.activeElement && document.activeElement !== document.body) document.activeElement.blur();
      for (const node of document.querySelectorAll('input,textarea,option')) {
        if (node.tagName === 'OPTION') node.selected = node.defaultSelected;
        else if (node.type === 'checkbox' || node.type === 'radio') node.checked = node.defaultChecked;
        else if (node.type !== 'file') node.value = node.defaultValue;
        if (node.scrollTop) node.scrollTop = 0;
      }
      history = new Map(); last = null; clipboard = '';
      rewind();
      window.__site.start(seed);
      clutter(texts);
      ready = window.__site.ready();
      for (let wait = 0; !ready && wait < 100; wait++) { advance(50); ready = window.__site.ready(); }
      advance(50);
      return tell(collect());
    },
    observe() { return tell(collect()); },
    act(verb, index, text, ms) { act(verb, index, text); advance(ms); return tell(collect()); },
  };
})();
