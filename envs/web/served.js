// What pages of a served site need beyond page.js. Instruction, end and reward come from the site's own state, outside of the page.
// A browser takes a new document slowly (about 100 ms of work, ours a tenth). So where no hand moves the mouse, we do what it would do:
// ask for the link's or the form's address, and write the answer into the same window. Trusted input always takes the browser's own way.
(() => {
  if (window.top !== window) return;
  let pending = null;
  const same = (url) => url.origin === location.origin;
  const here = () => new URL(document.baseURI);
  function take_link(event) {
    const link = event.target.closest && event.target.closest('a[href]');
    if (event.defaultPrevented || !link) return;
    const url = new URL(link.href), inside = link.href.includes('#') && url.pathname === here().pathname && url.search === here().search;
    if (url.protocol === 'javascript:') return;
    event.preventDefault();  // a way out of the site is refused anyway; one that is tried and refused leaves Lightpanda unable to end a later load
    if (same(url) && !inside) pending = [url.href, {}];
  }
  function take_form(event) {
    const form = event.target, by = event.submitter;
    if (event.defaultPrevented) return;
    const told = (name, usual) => (by && by.getAttribute('form' + name)) || form.getAttribute(name) || usual;
    const url = new URL(told('action', document.baseURI), document.baseURI), data = new FormData(form, by || null);
    event.preventDefault();
    if (!same(url)) return;
    const words = new URLSearchParams([...data].filter((pair) => typeof pair[1] === 'string'));
    if (told('method', 'get').toLowerCase() !== 'post') { url.search = words; pending = [url.href, {}]; return; }
    pending = [url.href, {method: 'POST', body: told('enctype', '') === 'multipart/form-data' ? data : words}];
  }
  function listen() {
    if (window.__trusted) return;
    window.addEventListener('click', take_link);
    window.addEventListener('submit', take_form);
  }
  async function write(url, how, from) {
    const reply = await fetch(url, {...how, headers: {'X-Follow': '1'}});
    if (!(reply.headers.get('content-type') || '').startsWith('text/html')) return '';
    const text = await reply.text(), at = new URL(reply.headers.get('x-at') || '/', location.origin).href, base = at.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
    const told = {URL: at, referrer: from};
    for (const name of Object.keys(told)) Object.defineProperty(document, name, {value: told[name], configurable: true});
    window.__page.leave();
    document.open();
    listen();
    const loaded = new Promise((done) => window.addEventListener('load', done, {once: true}));
    document.write(text.replace(/<head[^>]*>/i, (head) => `${head}<base href="${base}">`));  // a change of address is slow too
    document.close();
    await loaded;
    return 'moved';
  }
  function breathe() {  // lets the tasks run that the page has queued, such as the sending of a form
    return new Promise((done) => {
      const channel = new MessageChannel();
      let left = 2;
      channel.port1.onmessage = () => (left-- ? channel.port2.postMessage(0) : done(''));
      channel.port2.postMessage(0);
    });
  }
  listen();
  window.__site = {
    skip: [],
    start() {},
    ready() { return true; },
    state() { return ['', false, 0]; },
    source() {
      const copy = document.documentElement.cloneNode(true), own = [...document.querySelectorAll('input,textarea,option')];
      [...copy.querySelectorAll('input,textarea,option')].forEach((node, place) => {
        const from = own[place];
        if (node.tagName === 'TEXTAREA') node.textContent = from.value;
        else if (node.tagName === 'OPTION') node.toggleAttribute('selected', from.selected);
        else if (node.type === 'checkbox' || node.type === 'radio') node.toggleAttribute('checked', from.checked);
        else node.setAttribute('value', from.value);
      });
      copy.querySelectorAll('script').forEach((node) => node.remove());
      return '<!DOCTYPE html>' + copy.outerHTML;
    },
    visit(path) { pending = null; return write(new URL(path, location.origin).href, {}, ''); },
    go() { const [url, how] = pending || ['']; pending = null; return url ? write(url, how, document.baseURI) : breathe(); },
  };
})();
