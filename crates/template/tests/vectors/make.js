// Makes moment.json and javascript.json: what moment and JavaScript themselves give, for tests/it/vectors.rs.
//
//   npm install moment@2.30.1 moment-timezone@0.6.6 && node make.js

const fs = require("fs");
const path = require("path");
const moment = require("moment-timezone");

const NOW_MS = 1700000000123;
moment.now = () => NOW_MS;

// A small generator of its own: the files must come out the same every time.
let seed = 42;
function below(limit) {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed % limit;
}
const pick = (list) => list[below(list.length)];

const ZONES = ["UTC", "Europe/Prague", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"];
const INSTANTS = [0, NOW_MS, 951782400000, 1711846800000, 1729987200123, 1451606399999, 1483228800000, -86400001];
while (INSTANTS.length < 24) INSTANTS.push((below(4102444800) - 315619200) * 1000 + below(1000));

const FORMATS = [
  "YYYY-MM-DDTHH:mm:ss.SSSZ", "YY Y M Mo MM MMM MMMM", "Q Qo D Do DD DDD DDDo DDDD", "d do dd ddd dddd e E",
  "w wo ww W Wo WW gg gggg GG GGGG", "H HH h hh k kk A a m mm s ss", "S SS SSS SSSS SSSSS SSSSSSSSS", "Z ZZ X x",
  "[literally YYYY] YYYY [", "dddd, MMMM Do YYYY, h:mm:ss a",
];
const formats = [];
for (const ms of INSTANTS) for (const format of FORMATS) {
  const zone = pick(ZONES);
  formats.push({ ms, format, zone, text: moment.tz(ms, zone).format(format) });
}

const TEXTS = [
  ["2016-12-28 16:03", "YYYY-MM-DD HH:mm"], ["2016-12-28 04:03 pm", "YYYY-MM-DD hh:mm a"],
  ["12 AM 1.2.16", "h A D.M.YY"], ["28th December 2016", "Do MMMM YYYY"], ["28 dec 69", "DD MMM YY"],
  ["2016-366", "YYYY-DDDD"], ["2016-W52-3", "GGGG-[W]WW-E"], ["2016 4", "YYYY Q"], ["16:03:04.5", "HH:mm:ss.S"],
  ["28", "DD"], ["05-28", "MM-DD"], ["2016", "YYYY"], ["Friday", "dddd"], ["Sunday", "dddd"],
  ["Wed 2016-12-28", "ddd YYYY-MM-DD"], ["2016-12-28T16:03:06+0130", "YYYY-MM-DDTHH:mm:ssZ"],
  ["2016-12-28 24:00", "YYYY-MM-DD HH:mm"], ["1482940986.5", "X"], ["-1.5", "X"], ["1482940986123", "x"],
  ["20161228", "YYYYMMDD"], ["16:03", "kk:mm"], ["24:10", "kk:mm"], ["13 PM", "h A"], ["2016-12", "YYYY-MM"],
  ["12-2016", "MM-YYYY"], ["1/2/16 3:04", "M/D/YY h:mm"], ["2016-W01", "GGGG-[W]WW"], ["W10", "[W]WW"], ["3", "E"],
  ["2016-12-28 16:03:06.123456", "YYYY-MM-DD HH:mm:ss.SSSSSS"], ["noon 2016", "YYYY"],
  ["2016 Sept 5", "YYYY MMM D"], ["66", "YY"], ["Q2 2016", "[Q]Q YYYY"], ["x 5 y", "D"],
  ["2016-12-28 16:03 +02:00", "YYYY-MM-DD HH:mm Z"], ["28/12/2016", "DD/MM/YYYY"], ["2016-1-2", "YYYY-MM-DD"],
  ["12:30", "hh:mm"], ["5", "H"], ["2016-060", "YYYY-DDDD"], ["10:30 a.m.", "h:mm a"], ["10:30 P", "h:mm a"],
  ["2016-03-27 02:30", "YYYY-MM-DD HH:mm"], ["2016-10-30 02:30", "YYYY-MM-DD HH:mm"],
  ["", "YYYY"], ["never", "YYYY-MM-DD"], ["2016-13-01", "YYYY-MM-DD"], ["2015-02-29", "YYYY-MM-DD"],
  ["2015-366", "YYYY-DDD"], ["Mon 2016-12-28", "ddd YYYY-MM-DD"], ["25:00", "HH:mm"], ["12:60", "HH:mm"],
];
const parses = [];
for (const [text, format] of TEXTS) for (const zone of ["UTC", "Europe/Prague"]) {
  const date = moment.tz(text, format, zone);
  parses.push({ text, format, zone, iso: date.isValid() ? date.toISOString() : null });
}

const changes = [];
const change = (name, ms, zone, number, apply) =>
  changes.push({ name, ms, zone, number, iso: apply(moment.tz(ms, zone)).toISOString() });
for (const ms of INSTANTS) {
  for (const unit of ["Seconds", "Minutes", "Hours", "Days", "Months", "Years"]) {
    const number = below(80) - 40;
    change("add" + unit, ms, pick(ZONES), number, (date) => date.add(number, unit.toLowerCase()));
  }
  const set = (name, number, apply) => change(name, ms, pick(ZONES), number, apply);
  const second = below(200) - 60, hour = below(60) - 20, day = below(80) - 30, month = below(30) - 8, weekday = below(12);
  set("setSecond", second, (date) => date.second(second));
  set("setMinute", second, (date) => date.minute(second));
  set("setHour", hour, (date) => date.hour(hour));
  set("setDate", day, (date) => date.date(day));
  set("setMonth", month, (date) => date.month(month - 1));
  set("setDay", weekday, (date) => date.day(weekday - 1));
  set("setYear", 2000 + month, (date) => date.year(2000 + month));
}
const lines = (list) => "[\n" + list.map((item) => "  " + JSON.stringify(item)).join(",\n") + "\n]";
const write = (name, parts) => fs.writeFileSync(path.join(__dirname, name),
  "{\n" + Object.entries(parts).map(([key, list]) => JSON.stringify(key) + ": " + lines(list)).join(",\n") + "\n}\n");
write("moment.json", { formats, parses, changes });

// Numbers as text. The number travels as its bits, so that no reader of JSON stands between.
const bits = new DataView(new ArrayBuffer(8));
const numbers = [];
function number(value) {
  bits.setFloat64(0, value);
  numbers.push([bits.getUint32(0).toString(16) + ":" + bits.getUint32(4).toString(16), String(value)]);
}
[0, -0, 1e21, 1e20, 999999999999999900000, 1e-6, 1e-7, 123e-20, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, NaN, Infinity, -Infinity].forEach(number);
for (let i = 0; i < 300; i++) {
  bits.setUint32(0, below(2 ** 32) ^ (below(65536) << 16)); bits.setUint32(4, below(2 ** 32));
  number(bits.getFloat64(0));
  number((below(2000001) - 1000000) / 10 ** below(9));
}

// Operators. The operands are the values named in SCOPE; JavaScript's own answer, where the language says "as JavaScript".
const SCOPE = { a: 3, b: -2.5, z: 0, s: "12", t: "b", u: "a", e: "", y: true, f: false, n: null };
const expressions = [];
const names = Object.keys(SCOPE);
const typed = (value) => Number.isNaN(value) || Math.abs(value) === Infinity ? { text: String(value) } : { value };
for (const operator of ["-", "*", "/", "%", "===", "!==", "<", "<=", ">", ">=", "&&", "||"]) {
  for (const left of names) for (const right of names) {
    if (below(3)) continue;
    const source = `${left} ${operator} ${right}`;
    expressions.push({ source, ...typed(new Function(...names, `return ${source}`)(...Object.values(SCOPE))) });
  }
}
for (let i = 0; i < 150; i++) {
  const one = () => pick(["a", "b", "z", "y", "1", "2.5", "(a - b)", "-b", "!z", "-(a * 2)"]);
  let source = one();
  for (let j = 1 + below(5); j > 0; j--) source += ` ${pick(["+", "-", "*", "/", "%", "<", ">=", "===", "!==", "&&", "||"])} ${one()}`;
  expressions.push({ source, ...typed(new Function(...names, `return ${source}`)(...Object.values(SCOPE))) });
}

// Functions whose meaning is JavaScript's. `call` is a template, `value` what the JavaScript beside it gives.
const calls = [];
const call = (source, value) => calls.push({ source, value: value === undefined ? null : value });
const q = (text) => '"' + text.replace(/"/g, '""') + '"';
for (const text of ["a b/c?d=é&😀", "-_.!~*'()", "100% + ;,:@&=$#[]", "ěščřž"]) {
  call(`encodeURL(${q(text)})`, encodeURIComponent(text));
  call(`decodeURL(${q(encodeURIComponent(text))})`, text);
  call(`upper(${q(text)})`, text.toUpperCase());
  call(`createJSON(${q(text)})`, JSON.stringify(text));
  call(`md5(${q(text)})`, require("crypto").createHash("md5").update(text).digest("hex"));
  for (const hash of ["sha1", "sha256", "sha512"]) for (const encoding of ["hex", "base64", "latin1"]) {
    call(`${hash}(${q(text)}; "${encoding}")`, require("crypto").createHash(hash).update(text).digest(encoding));
    call(`${hash}(${q(text)}; "${encoding}"; "kéy")`, require("crypto").createHmac(hash, "kéy").update(text).digest(encoding));
  }
}
const TEXT = "The 3 quick (brown) foxes.\nJump over_the $1 lazy-dog ěé x1y22z333";
// Positions count UTF-16 units. Cutting a pair in two is left out: texts here cannot hold half of one.
const PAIRS = "a😀b😀c";
for (const regex of ["/o/", "/o/g", "/\\d+/g", "/(\\w+) (\\w+)/", "/^j/mi", "/^j/i", "/[^a-z]+/gi", "/(x)(\\d)?/g", "/./g", "/.$/gm",
  "/\\bq\\w+/", "/[\\]\\[(]/g", "/\\$/g", "/a|e|i/g", "/x*/g", "/(?:br)(ow)n/", "/[\\w-]+$/", "/\\s/g", "/\\S+/", "/é/gi", "/[[x]/g", "/a{2,}|o{1}/g", "/\\u0033/", "/[^]$/"]) {
  const [, source, flags] = /^\/(.*)\/(\w*)$/.exec(regex);
  for (const replacement of ["", "<$&>", "$1-$2", "$$$`", "$'$0$9"]) {
    call(`replace(t; ${q(regex)}; ${q(replacement)})`, TEXT.replace(new RegExp(source, flags), replacement));
  }
}
for (const search of ["o", "quick", "😀", "", "zzz", "$1"]) {
  call(`replace(t; ${q(search)}; "[$&]")`, TEXT.replace(search, "[$&]"));
  call(`indexOf(t; ${q(search)})`, TEXT.indexOf(search));
  call(`indexOf(t; ${q(search)}; 12)`, TEXT.indexOf(search, 12));
  call(`contains(t; ${q(search)})`, TEXT.includes(search));
  if (search) call(`split(t; ${q(search)})`, TEXT.split(search));
}
for (const [start, end] of [[0, 3], [4], [9, 4], [-3, 2], [60, 90], [56, 57]]) {
  call(`substring(t; ${start}${end === undefined ? "" : "; " + end})`, TEXT.substring(start, end));
}
for (const search of ["b", "c", "😀"]) for (const start of [0, 3, 4]) {
  call(`indexOf(p; ${q(search)}; ${start})`, PAIRS.indexOf(search, start));
}
call("substring(p; 1; 4)", PAIRS.substring(1, 4)); call("length(p)", PAIRS.length);
const LIST = [5, 10, 1, 100, -2];
for (const [start, end] of [[0, 2], [-2], [1, -1], [3, 1], [9], [-9, 9]]) {
  call(`slice(l; ${start}${end === undefined ? "" : "; " + end})`, LIST.slice(start, end));
}
call("sort(w)", ["b", "a", "B", "é", "z", "😀", "\uffee", ""].sort());
call("flatten(d)", [1, [2, [3, [4]]]].flat());
call("flatten(d; 2)", [1, [2, [3, [4]]]].flat(2));
call("toString(d)", String([1, [2, [3, [4]]]]));
call("round(2.5)", Math.round(2.5)); call("round(-2.5)", Math.round(-2.5)); call("round(0.49999999999999994)", Math.round(0.49999999999999994));
call("createJSON(o)", JSON.stringify({ b: [1, null, { z: 1e21, 10: 1e-7, 9: -0 }], 1: "\u0007\u2028\"\\/", "01": true, 4294967295: 0, 4294967294: 1 }));
write("javascript.json", { numbers, expressions, calls });
