'use strict';
const read = id => JSON.parse(document.getElementById(id).textContent);
const data = read('data'), profile = read('profile'), kernels = data.kernels;
const ghz = profile ? profile.ghz : null, rates = (profile || data).rates;

/* Which kernels read and write each buffer, by their numbers. */
const touches = (key, names) => {
  const numbers = {};
  kernels.forEach((kernel, i) => kernel[names].forEach(name => (numbers[name] ||= []).push(i)));
  for (const buffer of data.buffers) buffer[key] = numbers[buffer.name] || [];
};
touches('read', 'reads');
touches('written', 'writes');

/* What was measured, by the name of the kernel; predictions are then those that stand beside it there. */
for (const found of profile ? profile.kernels : []) {
  const kernel = kernels.find(one => one.name === found.name);
  if (!kernel) continue;
  for (const key of ['cycles', 'limit_cycles', 'limit', 'bound', 'cycles_by', 'l1_bytes', 'l2_bytes', 'memory_bytes'])
    kernel[key] = found[key];
  kernel.measured = found.ms.median * ghz * 1e6;
  kernel.ms = found.ms;
}
const time = kernel => kernel.measured || kernel.cycles;
const lost = kernel => time(kernel) - kernel.limit_cycles;
const total = kernels.reduce((sum, kernel) => sum + time(kernel), 0);
let selected = 0;

/* A buffer has the name of a value; people know the layers that wrote it. */
for (const buffer of data.buffers)
  buffer.layers = buffer.written.length ? kernels[buffer.written[0]].layers : buffer.place;

/* ---- making things ------------------------------------------------------------------------------ */

function add(parent, tag, attributes = {}, text) {
  const svg = parent.namespaceURI === 'http://www.w3.org/2000/svg' || tag === 'svg';
  const made = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}
const byId = id => document.getElementById(id);
const clear = id => { byId(id).replaceChildren(); return byId(id); };
const count = value => Math.round(value).toLocaleString('en-US');
const short = value => value >= 1e9 ? (value / 1e9).toFixed(2) + ' G' : value >= 1e6 ? (value / 1e6).toFixed(2) + ' M' :
  value >= 1e3 ? (value / 1e3).toFixed(1) + ' k' : String(Math.round(value));
const bytes = value => short(value) + (value < 1e3 ? ' B' : 'B');
/* Cycles, or with a profile's clock microseconds; alone with the unit, in a table without. */
const duration = cycles => ghz ? (cycles / ghz / 1e3).toLocaleString('en-US', { maximumFractionDigits: 1, minimumFractionDigits: 1 }) :
  count(cycles);
const unit = ghz ? 'µs' : 'cycles';
const milliseconds = value => value < 0.1 ? `${(1e3 * value).toFixed(1)} µs` : `${value.toFixed(3)} ms`;
const timed = cycles => ghz ? milliseconds(cycles / ghz / 1e6) : `${count(cycles)} cycles`;
const cut = (text, most) => text.length > most ? text.slice(0, most - 1) + '…' : text;
const percent = share => (100 * share).toFixed(share < 0.0995 ? 1 : 0) + '%';

/* ---- choosing with the mouse and with keys --------------------------------------------------------- */

/* A list is one stop of the Tab key; arrow keys, Home and End move within it, Enter and Space choose. */
const lists = {};

function pick(list, element, index, label) {
  const items = lists[list] ||= [];
  items.push(element);
  element.dataset.item = items.length - 1;
  element.dataset.list = list;
  element.setAttribute('tabindex', items.length === 1 ? 0 : -1);
  if (element.namespaceURI === 'http://www.w3.org/2000/svg') {
    element.setAttribute('role', 'button');
    element.setAttribute('aria-label', label);
    add(element, 'title', {}, label);
  }
  element.addEventListener('click', () => select(index, true));
  element.addEventListener('keydown', event => {
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      select(index, true);
    } else if (event.key in steps) {
      event.preventDefault();
      const to = +element.dataset.item + steps[event.key];
      focusItem(list, Math.max(0, Math.min(items.length - 1, to)));
    }
  });
}

function focusItem(list, item, quiet) {
  const items = lists[list] || [];
  items.forEach((element, i) => element.setAttribute('tabindex', i === item ? 0 : -1));
  if (items[item] && !quiet) items[item].focus();
}

/* Draws a list anew; what had the focus in it has it afterwards. */
function redraw(list, draw) {
  const focused = document.activeElement && document.activeElement.dataset.list === list ? +document.activeElement.dataset.item : -1;
  lists[list] = [];
  draw();
  if (focused >= 0) focusItem(list, focused);
}

/* ---- summary ------------------------------------------------------------------------------------- */

function drawSummary() {
  byId('title').textContent = data.model;
  const plural = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`;
  byId('subtitle').textContent = `${data.target}, on a core described as ${(profile || data).core}; batches of ${data.batch}` +
    (data.turns > 1 ? ` in ${data.turns} turns, of which one is shown, ` : ', ') +
    `${plural(data.threads, 'thread')}, images ${data.input.join(' × ')}, ${plural(kernels.length, 'kernel')}`;
  const flops = kernels.reduce((sum, kernel) => sum + kernel.flops, 0);
  const predicted = kernels.reduce((sum, kernel) => sum + kernel.cycles, 0);
  const rows = [['predicted', timed(predicted)],
    ['of the FMA peak, predicted', percent(flops / predicted / rates.flops)],
    ['arithmetic', `${short(flops)}FLOP`],
    ['tensors in the workspace', bytes(data.tensor_bytes)], ['stack of a thread', bytes(data.stack_bytes)]];
  if (profile)
    rows.unshift(['measured, median', milliseconds(profile.latency_ms.median)],
      ['of the FMA peak, measured', percent(profile.fraction_of_peak)],
      ['throughput', `${profile.images_per_second.toFixed(1)} images/s`], ['clock, measured', `${ghz.toFixed(2)} GHz`]);
  for (const [term, value] of rows) {
    const pair = add(byId('summary'), 'div');
    add(pair, 'dt', {}, term);
    add(pair, 'dd', {}, value);
  }
}

/* ---- network ------------------------------------------------------------------------------------- */

/* [from, to, buffer]: each reader after the last kernel that wrote the buffer before it. */
function tensors() {
  const edges = [];
  for (const buffer of data.buffers)
    for (const to of buffer.read) {
      const from = Math.max(-1, ...buffer.written.filter(kernel => kernel < to));
      if (from >= 0 && !edges.some(edge => edge[0] === from && edge[1] === to)) edges.push([from, to, buffer.name]);
    }
  return edges;
}

function drawNetwork() {
  const step = 30, width = 268, box = 208, height = kernels.length * step + 4;
  const svg = add(byId('network'), 'svg', { width, height, role: 'group', 'aria-label': 'kernels and tensors' });
  for (const [from, to, name] of tensors()) {
    const a = from * step + 24, b = to * step + 2, far = Math.min(56, 12 + 6 * Math.log2(to - from) * 2);
    const path = to === from + 1 ? `M${box / 2} ${a}V${b}` :
      `M${box} ${a - 8}C${box + far} ${a} ${box + far} ${b} ${box} ${b + 8}`;
    add(add(svg, 'path', { d: path }), 'title', {}, `${name}: ${data.buffers.find(buffer => buffer.name === name).layers}`);
  }
  kernels.forEach((kernel, i) => {
    const group = add(svg, 'g', { transform: `translate(0 ${i * step + 2})`, 'data-kernel': kernel.name });
    add(group, 'rect', { class: 'box', x: 1, width: box - 2, height: 22, rx: 3 });
    add(group, 'rect', { class: 'share', x: 2, y: 18, height: 3, width: Math.max(0.5, (box - 4) * time(kernel) / total) });
    add(group, 'text', { x: 6, y: 13 }, cut(kernel.name, 31));
    pick('network', group, i, `${kernel.name}\n${kernel.layers}\n${percent(time(kernel) / total)} of the time`);
  });
}

/* ---- roofline ------------------------------------------------------------------------------------ */

function logAxis(least, most, from, to) {
  const low = Math.log10(least), scale = (to - from) / (Math.log10(most) - low);
  return value => from + scale * (Math.log10(value) - low);
}
function powers(least, most) {
  const found = [];
  for (let value = 10 ** Math.ceil(Math.log10(least)); value <= most; value *= 10) found.push(value);
  return found;
}

function drawRoofline() {
  byId('roofline-note').replaceChildren();
  for (const [key, text] of profile ? [['m', 'measured'], ['p', 'predicted']] : [['p', 'predicted']]) {
    add(byId('roofline-note'), 'span', { class: `key ${key}` });
    byId('roofline-note').append(`${text}\u2003`);
  }
  byId('roofline-note').append('Area is time. Intensity counts each byte of tensors and weights once.');
  const div = clear('roofline'), width = Math.max(300, div.clientWidth), height = Math.min(420, Math.max(280, width * 0.45));
  const svg = add(div, 'svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'roofline chart' });
  const shown = kernels.map((kernel, i) => [kernel, i]).filter(([kernel]) => kernel.flops > 0 && kernel.bytes > 0);
  if (!shown.length) return;
  const intensity = kernel => kernel.flops / kernel.bytes, rate = (kernel, cycles) => kernel.flops / cycles;
  const xs = shown.map(([kernel]) => intensity(kernel));
  const ys = shown.flatMap(([kernel]) => [rate(kernel, kernel.cycles), rate(kernel, time(kernel))]);
  const left = 46, right = width - 12, top = 22, bottom = height - 34;
  const xRange = [Math.min(...xs) / 2, Math.max(...xs, rates.flops / rates.memory) * 2];
  const yRange = [Math.min(...ys) / 2, rates.flops * 1.7];
  const x = logAxis(...xRange, left, right), y = logAxis(...yRange, bottom, top);
  for (const value of powers(...xRange)) {
    add(svg, 'line', { class: 'grid', x1: x(value), x2: x(value), y1: top, y2: bottom });
    add(svg, 'text', { class: 'muted', x: x(value), y: bottom + 14, 'text-anchor': 'middle' }, String(+value.toPrecision(1)));
  }
  for (const value of powers(...yRange)) {
    add(svg, 'line', { class: 'grid', x1: left, x2: right, y1: y(value), y2: y(value) });
    add(svg, 'text', { class: 'muted', x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, String(+value.toPrecision(1)));
  }
  add(svg, 'text', { class: 'muted', x: right, y: height - 4, 'text-anchor': 'end' }, 'FLOP per byte');
  add(svg, 'text', { class: 'muted', x: 4, y: 12 }, 'FLOP per cycle');
  const peak = rates.flops;
  add(svg, 'line', { class: 'roof', x1: x(Math.max(xRange[0], peak / rates.l1)), x2: right, y1: y(peak), y2: y(peak) });
  add(svg, 'text', { class: 'muted', x: right, y: y(peak) - 5, 'text-anchor': 'end' }, `FMA peak, ${peak}`);
  for (const [name, bandwidth] of [['L1', rates.l1], ['L2', rates.l2], ['beyond L2', rates.memory]]) {
    const from = Math.max(xRange[0], yRange[0] / bandwidth), to = peak / bandwidth;
    if (to <= from) continue;
    add(svg, 'line', { class: 'roof', x1: x(from), y1: y(from * bandwidth), x2: x(to), y2: y(peak) });
    const at = Math.max(from, to / 30), angle = Math.atan2(y(to * bandwidth) - y(at * bandwidth), x(to) - x(at)) * 180 / Math.PI;
    add(svg, 'text', { class: 'muted', transform: `translate(${x(at) + 4} ${y(at * bandwidth) - 6}) rotate(${angle})` },
      `${name}, ${bandwidth} B per cycle`);
  }
  const radius = kernel => 2.5 + 14 * Math.sqrt(time(kernel) / total);
  for (const [kernel, i] of shown) {
    const group = add(svg, 'g', { class: 'point', 'data-kernel': kernel.name });
    const cx = x(intensity(kernel)), r = radius(kernel);
    const places = [y(rate(kernel, kernel.cycles)), ...kernel.measured ? [y(rate(kernel, kernel.measured))] : []];
    if (i === selected && places.length > 1) add(group, 'line', { class: 'join', x1: cx, x2: cx, y1: places[0], y2: places[1] });
    if (kernel.measured) add(group, 'circle', { class: 'measured', cx, cy: places[1], r, 'fill-opacity': 0.6 });
    add(group, 'circle', { class: 'predicted', cx, cy: places[0], r });
    if (i === selected) places.forEach(cy => add(group, 'circle', { class: 'ring', cx, cy, r: r + 3 }));
    pick('roofline', group, i, `${kernel.name}\n${intensity(kernel).toPrecision(3)} FLOP per byte, predicted ` +
      `${rate(kernel, kernel.cycles).toPrecision(3)} FLOP per cycle` +
      (kernel.measured ? `, measured ${rate(kernel, kernel.measured).toPrecision(3)}` : ''));
  }
}

/* ---- times --------------------------------------------------------------------------------------- */

const columns = [
  { name: 'kernel', value: kernel => kernel.name },
  ...profile ? [{ name: 'measured', value: time, show: kernel => kernel.measured ? duration(kernel.measured) : '–' }] : [],
  { name: 'predicted', value: kernel => kernel.cycles, show: kernel => duration(kernel.cycles) },
  { name: 'lower bound', is: 'limit', wide: true, value: kernel => kernel.limit_cycles, show: kernel => duration(kernel.limit_cycles) },
  { name: 'lost', wide: true, value: lost, show: kernel => duration(lost(kernel)) },
  { name: 'bound by', is: 'bound', value: kernel => kernel.bound, show: kernel => kernel.bound }];
let sorted = columns.find(column => column.name === 'lost'), descending = true;

function sortBy(column) {
  descending = column === sorted ? !descending : typeof column.value(kernels[0]) === 'number';
  sorted = column;
  redraw('times', drawTimes);
  markSelected();
}

function inOrder() {
  const order = kernels.map((kernel, i) => i), sign = descending ? -1 : 1;
  const value = i => sorted.value(kernels[i]);
  return order.sort((a, b) => sign * (typeof value(a) === 'number' ? value(a) - value(b) : value(a).localeCompare(value(b))));
}

function drawHead() {
  const head = add(add(clear('times'), 'thead'), 'tr');
  for (const column of columns) {
    const cell = add(head, 'th', column.wide ? { class: 'wide', scope: 'col' } : { scope: 'col' });
    if (column === sorted) cell.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    const button = add(cell, 'button', { type: 'button' }, column.name + (column === sorted ? descending ? ' ▾' : ' ▴' : ''));
    button.addEventListener('click', () => {
      sortBy(column);
      byId('times').querySelectorAll('th button')[columns.indexOf(column)].focus();
    });
  }
}

function drawTimes() {
  byId('times-note').textContent = `In ${unit}. ${profile ? 'The upper bar is what was measured, the lower one' : 'The bar is'} what is ` +
    'predicted; the stroke is the lower bound: what FMAs, other vector operations, loads and stores, L2 or memory would take alone, ' +
    'whichever takes longest. No schedule of the same operations is faster. Lost is the time above it.';
  const most = Math.max(...kernels.map(kernel => Math.max(kernel.cycles, time(kernel))));
  drawHead();
  const body = add(byId('times'), 'tbody');
  for (const i of inOrder()) {
    const kernel = kernels[i], row = add(body, 'tr', { 'data-kernel': kernel.name });
    const cell = add(row, 'td'), button = add(cell, 'button', { type: 'button' }, kernel.name);
    const wide = cycles => `width:${100 * cycles / most}%`, bars = add(cell, 'div', { class: 'bars' });
    if (kernel.measured) add(bars, 'i', { class: 'm', style: wide(kernel.measured) });
    add(bars, 'i', { class: 'p', style: wide(kernel.cycles) });
    add(bars, 'b', { style: `left:${100 * kernel.limit_cycles / most}%` });
    for (const column of columns.slice(1))
      add(row, 'td', { ...column.wide ? { class: 'wide' } : {}, 'data-is': column.is || column.name }, column.show(kernel));
    row.addEventListener('click', event => { if (event.target !== button) select(i, true); });
    pick('times', button, i);
  }
}

/* ---- workspace ----------------------------------------------------------------------------------- */

function drawWorkspace() {
  const div = clear('workspace'), width = Math.max(300, div.clientWidth), height = 260;
  const svg = add(div, 'svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'workspace over time' });
  byId('workspace-note').textContent = `${bytes(data.tensor_bytes)} of tensors. From left to right the kernels in their ` +
    'order, from bottom to top the addresses; orange is written and blue is read by the kernel that is chosen.';
  const left = 58, right = width - 8, top = 8, bottom = height - 24;
  const x = kernel => left + (right - left) * kernel / kernels.length;
  const y = at => bottom - (bottom - top) * at / Math.max(1, data.tensor_bytes);
  for (let i = 0; i <= 4; i++) {
    const at = data.tensor_bytes * i / 4;
    add(svg, 'line', { class: 'grid', x1: left, x2: right, y1: y(at), y2: y(at) });
    add(svg, 'text', { class: 'muted', x: left - 6, y: y(at) + (i === 4 ? 8 : 4), 'text-anchor': 'end' }, bytes(at));
  }
  add(svg, 'text', { class: 'muted', x: left, y: height - 6 }, 'first kernel');
  add(svg, 'text', { class: 'muted', x: right, y: height - 6, 'text-anchor': 'end' }, 'last kernel');
  for (const buffer of data.buffers) {
    const touched = [...buffer.written, ...buffer.read];
    if (buffer.place !== 'workspace' || buffer.offset < 0 || !touched.length) continue;
    const first = Math.min(...touched), last = Math.max(...touched);
    const is = buffer.written.includes(selected) ? 'written' : buffer.read.includes(selected) ? 'read' : '';
    const group = add(svg, 'g');
    add(group, 'rect', { class: is, x: x(first), width: x(last + 1) - x(first), y: y(buffer.offset + buffer.bytes),
      height: Math.max(1, y(buffer.offset) - y(buffer.offset + buffer.bytes)) });
    const room = Math.floor((x(last + 1) - x(first) - 6) / 6.5);
    if (room >= 5 && y(buffer.offset) - y(buffer.offset + buffer.bytes) > 13)
      add(group, 'text', { x: x(first) + 3, y: y(buffer.offset) - 3 }, cut(buffer.layers || buffer.name, room));
    pick('workspace', group, first, `${buffer.name} (${buffer.layers}): ${bytes(buffer.bytes)} at ${count(buffer.offset)}, from ${kernels[first].name} to ${kernels[last].name}`);
  }
  add(svg, 'line', { class: 'now', x1: x(selected + 0.5), x2: x(selected + 0.5), y1: top, y2: bottom });
}

/* ---- the kernel that is chosen ------------------------------------------------------------------- */

function drawFacts(kernel) {
  byId('kernel-name').textContent = kernel.name;
  byId('kernel-layers').textContent = kernel.layers ? `Computes ${kernel.layers}.` : '';
  byId('kernel-link').setAttribute('href', '#' + kernel.name);
  const rows = [['predicted', timed(kernel.cycles)], ['bound by', kernel.bound],
    [`lower bound (${kernel.limit})`, timed(kernel.limit_cycles)], ['lost', timed(lost(kernel))],
    ['FLOPs', count(kernel.flops)], ['exponentials', count(kernel.exps)],
    ['distinct bytes', count(kernel.bytes)], ['bytes to L1', count(kernel.l1_bytes)],
    ['bytes from L2', count(kernel.l2_bytes)], ['from beyond', count(kernel.memory_bytes)],
    ['FLOP per byte', (kernel.flops / kernel.bytes || 0).toPrecision(3)],
    ['of the FMA peak', percent(kernel.flops / time(kernel) / rates.flops)]];
  if (kernel.measured)
    rows.unshift(['measured, median', milliseconds(kernel.ms.median)], ['measured, best', milliseconds(kernel.ms.best)]);
  const list = clear('kernel-facts');
  for (const [term, value] of rows) {
    const pair = add(list, 'div');
    add(pair, 'dt', {}, term);
    add(pair, 'dd', {}, value);
  }
}

/* Which loop each line of the assembly belongs to: blocks are named for.k and end.k. */
function assemblyLoops(kernel) {
  const parent = Object.fromEntries(kernel.loops.map(loop => [loop.var, loop.parent]));
  let at = '';
  return kernel.assembly.split('\n').filter(Boolean).map(line => {
    const name = /^[.#].*# %(for|end)\.(\w+?)(\.\S*)?$/.exec(line);
    if (name && name[2] in parent) at = name[1] === 'for' && !name[3] ? name[2] : parent[name[2]];
    return [line, at];
  });
}

/* Loops with loads and stores of spilled vectors, and how many there are. */
function spills(kernel) {
  const found = {};
  for (const [line, loop] of assemblyLoops(kernel))
    if (/(16|32|64)-byte (Folded )?(Spill|Reload)/.test(line)) found[loop] = (found[loop] || 0) + 1;
  return found;
}

function advice(kernel) {
  const said = [], by = kernel.cycles_by, share = what => by[what] / kernel.cycles;
  const slow = kernel.measured ? kernel.measured / kernel.cycles : 1;
  const loops = [...kernel.loops].sort((a, b) => b.cycles - a.cycles);
  const hot = loops[0] && loops[0].var ? `loop ${loops[0].var}` : 'the body';
  if (!kernel.cycles) return ['Not scheduled yet: there is nothing to predict.'];
  if (slow > 1.5)
    said.push(`Takes ${slow.toFixed(1)} times what is predicted: look for what the model does not know, such as rows a page ` +
      'apart, stores that loads wait for, or other work on the machine while it was measured.');
  if (slow < 1 / 1.5) said.push(`Takes ${percent(slow)} of what is predicted: the description of the processor is too careful here.`);
  for (const [loop, number] of Object.entries(spills(kernel)))
    if (loop) said.push(`Loop ${loop} moves vectors to and from the stack (${number} spills and reloads): a smaller register tile, ` +
      'fewer rows or columns in its nest, keeps them in registers.');
  const near = kernel.limit_cycles / time(kernel);
  if (near > 0.8) {
    said.push(`Runs at ${percent(near)} of its lower bound (${kernel.limit}): only less work, or another algorithm, would help much.`);
    return said;
  }
  said.push(`Is far from its lower bound (${kernel.limit}): ${timed(lost(kernel))} are lost, most cycles are in ${hot}.`);
  if (share('latency') > 0.2)
    said.push(`${percent(share('latency'))} go into chains of operations, beginnings and ends of short loops, and index arithmetic: more ` +
      'rows or columns in the nest give more chains at once, a larger tile longer loops.');
  if (share('vector') > 0.2)
    said.push(`${percent(share('vector'))} go into vector operations other than FMAs` +
      (kernel.exps ? `; ${count(kernel.exps)} exponentials take 13 of them for a vector with AVX-512, 18 without` : '') +
      ': vectors shorter than the registers and lanes that are not neighbours make it worse.');
  if (share('l1') > 0.2)
    said.push(`${percent(share('l1'))} wait for loads and stores: a register tile of more rows uses what it has loaded more often.`);
  if (share('l2') > 0.2)
    said.push(`${percent(share('l2'))} wait for L2: what one tile touches does not fit the ${bytes(rates.l1_size)} of L1; a smaller tile might.`);
  if (share('memory') > 0.2)
    said.push(`${percent(share('memory'))} wait for what is beyond L2, ${bytes(kernel.memory_bytes)}: ` +
      'a larger batch uses weights more often, and fusing with the kernel before saves its tensor.');
  return said;
}

function paint(line, share, most, text) {
  const heat = most > 0 ? share / most : 0;
  line.dataset.share = text;
  if (heat > 0.01) line.style.background = `rgba(var(--heat), ${(0.45 * Math.sqrt(heat)).toFixed(3)})`;
}

/* A line of loops has the cycles of those loops; a statement has the colour of the loop around it. */
function drawLoops(kernel) {
  const pre = clear('loops'), cost = Object.fromEntries(kernel.loops.map(loop => [loop.var, loop.cycles]));
  const all = kernel.loops.reduce((sum, loop) => sum + loop.cycles, 0), most = Math.max(...Object.values(cost), 0);
  const around = [[-1, 0]];
  for (const text of kernel.text.replace(/\n$/, '').split('\n')) {
    const line = add(pre, 'span', {}, text), indent = text.search(/\S/);
    while (around.length > 1 && around[around.length - 1][0] >= indent) around.pop();
    let own = around[around.length - 1][1], words = '';
    if (/^\s*for /.test(text)) {
      const found = [...text.matchAll(/(\w+) in \d+/g)].map(match => cost[match[1]]).filter(value => value !== undefined);
      own = found.length ? found.reduce((sum, value) => sum + value, 0) : own;
      around.push([indent, own]);
      words = found.length && own / all >= 0.001 ? percent(own / all) : '';
    }
    paint(line, /^\s*(for |\S+\[)/.test(text) ? own : 0, most, words);
  }
}

function drawAssembly(kernel) {
  const pre = clear('assembly'), cost = Object.fromEntries(kernel.loops.map(loop => [loop.var, loop.cycles]));
  const all = kernel.loops.reduce((sum, loop) => sum + loop.cycles, 0), most = Math.max(...Object.values(cost), 0);
  let before = null;
  for (const [text, loop] of assemblyLoops(kernel)) {
    const line = add(pre, 'span', {}, text.replace(/\t/g, '  '));
    paint(line, cost[loop] || 0, most, loop !== before && cost[loop] / all >= 0.001 ? percent(cost[loop] / all) : '');
    before = loop;
  }
}

function markSelected() {
  const name = kernels[selected].name;
  for (const element of document.querySelectorAll('#network g, #times tbody tr')) {
    const is = element.dataset.kernel === name;
    element.classList.toggle('selected', is);
    (element.querySelector('button') || element).setAttribute('aria-pressed', is);
  }
}

function select(index, move) {
  selected = index;
  const kernel = kernels[index];
  markSelected();
  redraw('roofline', drawRoofline);
  redraw('workspace', drawWorkspace);
  drawFacts(kernel);
  clear('advice');
  for (const text of advice(kernel)) add(byId('advice'), 'li', {}, text);
  drawLoops(kernel);
  drawAssembly(kernel);
  if (!move) return;
  history.replaceState(null, '', '#' + kernel.name); /* a link to the kernel */
  byId('kernel').scrollIntoView({ behavior: 'smooth', block: 'nearest' });
}

/* The kernel that the address names, else the one that loses most. */
function selectFirst() {
  const named = kernels.findIndex(kernel => '#' + kernel.name === location.hash);
  select(named >= 0 ? named : kernels.reduce((best, kernel, i) => lost(kernel) > lost(kernels[best]) ? i : best, 0), false);
  if (named >= 0) byId('kernel').scrollIntoView({ block: 'start' });
}

drawSummary();
drawNetwork();
if (kernels.length) {
  drawTimes();
  selectFirst();
  addEventListener('hashchange', selectFirst);
  addEventListener('resize', () => { redraw('roofline', drawRoofline); redraw('workspace', drawWorkspace); });
}
