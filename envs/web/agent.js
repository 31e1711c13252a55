// What the outside calls: `__agent`, over the page's own `__page` (see page.js), or over those of several pages in frames.
// A page that sets `__parts` (one number a frame: the least reward that counts as solved) holds one task in each of its frames.
(() => {
  const alone = window.__page;
  if (!alone || alone.isPart || window.__agent) return;
  const SHAPES = new Set(['rect', 'circle', 'ellipse', 'line', 'polygon', 'polyline', 'path', 'text', 'tspan']);
  const squeeze = (text, most) => text.replace(/\s+/g, ' ').trim().slice(0, most);
  let ready = true;

  // ---- several pages that speak as one: done when all are, in their order, and wrong as soon as one is ----
  let counts = [], current = 0;
  const parts = () => [...document.querySelectorAll('iframe')].map((frame) => frame.contentWindow.__page);
  const owner = (index) => {
    let left = index;
    for (let place = 0; place < counts.length; place++) { if (left < counts[place]) return [place, left]; left -= counts[place]; }
    return [-1, left];
  };
  const many = {
    begin() { return parts().length === window.__parts.length && parts().every((part) => part && part.begin()); },
    start(seed) { current = 0; return parts().map((part, place) => part.start((seed + 1000003 * place) % 2147483647)).every(Boolean); },
    states() { return parts().map((part) => part.state()); },
    state() {
      const told = many.states(), done = told.map((one) => one[1]);
      const bad = told.some((one, place) => one[1] && (one[2] < window.__parts[place] || !done.slice(0, place).every(Boolean)));
      const all = done.every(Boolean);
      return ['', bad || all, bad ? -1 : all ? 1 : 0];
    },
    collect() {
      const frames = [...document.querySelectorAll('iframe')], done = many.states().map((one) => one[1]);
      const found = parts().map((part, place) => {
        if (done[place]) return [];
        const box = frames[place].getBoundingClientRect();
        return part.collect().map((row) => SHAPES.has(row[0]) ? row : [...row.slice(0, 8), row[8] + Math.round(box.left), row[9] + Math.round(box.top), row[10], row[11]]);
      });
      counts = found.map((rows) => rows.length);
      return found.flat().concat(alone.collect());
    },
    turn(index) {
      const [place, inner] = index >= 0 ? owner(index) : [current, index];
      if (index >= 0) { current = place; parts().forEach((part, other) => part.use(other === place)); alone.use(place < 0); }
      return [place < 0 ? alone : parts()[place], inner];
    },
    act(verb, index, text, byHand) {
      const [part, inner] = many.turn(index);
      part.act(verb, inner, text, byHand);
      const copied = part.copied();
      for (const other of [alone, ...parts()]) other.paste(copied);
    },
    advance(ms) { alone.advance(ms); for (const part of parts()) part.advance(ms); },
    aim(index) { const [part, inner] = many.turn(index); return part.aim(inner); },
    roll(index) { const [part, inner] = many.turn(index); return part.roll(inner); },
    copied() { return alone.copied(); },
  };
  const whole = () => (window.__parts ? many : alone);

  // ---- the calls from outside; each returns one string ----
  function tell() {
    const rows = whole().collect(), [instruction, ended, reward] = whole().state();
    const told = {u: squeeze(instruction, 2000), e: rows, d: ended, r: reward, t: alone.now(), c: whole().copied(), y: ready};
    if (window.__parts) told.p = many.states().map((one, place) => [squeeze(one[0], 2000), one[1], counts[place]]);
    return JSON.stringify(told);
  }
  function clutter(texts) {
    const old = document.getElementById('__clutter');
    if (old) old.remove();
    if (!texts.length) return;
    const block = document.createElement('div');
    block.id = '__clutter';
    block.style.cssText = window.__parts ? '' : 'position:absolute;left:165px;top:0;width:150px;';
    texts.forEach((text, index) => {
      const node = document.createElement(['p', 'span', 'button'][index % 3]);
      node.textContent = text;
      if (node.tagName === 'BUTTON') node.type = 'button';
      block.appendChild(node);
    });
    document.body.appendChild(block);
  }
  window.__agent = {
    begin() { return String(whole().begin()); },
    reset(seed, texts) {
      if (window.__parts) alone.rest();
      ready = whole().start(seed);
      clutter(texts);
      return tell();
    },
    observe() { return tell(); },
    act(verb, index, text, ms) { whole().act(verb, index, text, false); whole().advance(ms); return tell(); },
    // For trusted input: what an action would touch and where, the action itself being done by the browser; then time passes.
    reach(verb, index) { whole().act(verb, index, '', true); return JSON.stringify(whole().aim(index)); },
    roll() { return JSON.stringify(whole().roll(-1)); },
    after(ms) { whole().advance(ms); return tell(); },
    settle() { return new Promise((done) => alone.nextFrame(() => alone.nextFrame(done))); },
  };
})();
