// SPDX-License-Identifier: MIT
// Requests that two HTTP parsers could read differently, or that are too much: by class, each with the
// answers this server gives, in order. S stands for a whole second request that must stay a part of
// the first one, or never be read; behind every vector follows a canary that is answered with 200.

const path = "/xrpc/blue.catbird.mls.updateCursor";  // without a token: 401, and the connection goes on
const post = `POST ${path} HTTP/1.1\r\nhost: x\r\n`;
const get = `GET ${path} HTTP/1.1\r\nhost: x\r\n`;
const chunkedBody = "0\r\n\r\n";
// Everything is sent as Latin-1: one character, one byte.
const utf8 = (text) => Buffer.from(text).toString("latin1");
const control = (code) => `\\x${code.toString(16).padStart(2, "0")}`;

// What the answers mean.
const refused = [400];         // refused, connection closed, nothing behind it is read
const tooLarge = [413];
const oneRequest = [401, 200]; // a request like any other; the canary is the second
const starved = [];            // not complete: all that follows belongs to it

/** CL and TE together, TE that is not exactly one "chunked": in each case with S where the other reading begins. */
function* transferEncoding(S) {
  const length = (text) => `content-length: ${Buffer.byteLength(text)}\r\n`;
  const body = chunkedBody + S;
  yield ["CL.TE", `${post}${length(body)}transfer-encoding: chunked\r\n\r\n${body}`, refused];
  yield ["TE.CL", `${post}transfer-encoding: chunked\r\n${length(body)}\r\n${body}`, refused];
  yield ["CL.TE, length 0", `${post}content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n${body}`, refused];
  yield ["TE.TE", `${post}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n${body}`, refused];
  yield ["TE.TE identity", `${post}transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n${body}`, refused];
  yield ["TE.TE cow", `${post}transfer-encoding: chunked\r\ntransfer-encoding: cow\r\n\r\n${body}`, refused];
  const same = ["chunked", "Chunked", "CHUNKED", "  chunked", "\tchunked", "chunked ", "chunked\t"];
  for (const value of same) yield [`TE ${JSON.stringify(value)}`, `${post}transfer-encoding:${value}\r\n\r\n${chunkedBody}`, oneRequest];
  const others = ["xchunked", "chunkedx", "chunk", "chunked, identity", "identity, chunked", "identity", "chunked, chunked", "gzip", "gzip, chunked", "gzip,chunked",
    "chunked;q=1", "chunked; a=b", "chunked,", ",chunked", ", chunked", ",", "", " ", '"chunked"', "'chunked'", "chu nked", "deflate", "compress", "br", "trailers", "null", "0",
    "chunked\x0b", "\x0bchunked", "\x0cchunked", "chunked\x00", "chun\x00ked", "chunked\x7f", "\xa0chunked", "chunked\x85", utf8("\uff43hunked"), "%63hunked"];
  for (const value of others) {
    yield [`TE ${JSON.stringify(value)}`, `${post}transfer-encoding: ${value}\r\n\r\n${body}`, refused];
    yield [`TE ${JSON.stringify(value)} with CL`, `${post}transfer-encoding: ${value}\r\n${length(body)}\r\n${body}`, refused];
  }
  const names = ["transfer-encoding ", "transfer-encoding\t", " transfer-encoding", "\ttransfer-encoding", "\x00transfer-encoding", "transfer-encoding\x00", "transfer-encoding\x0b",
    "transfer-encoding;", "transfer-encoding\r", "transfer\xadencoding", "(transfer-encoding", "transfer-encoding\n"];
  for (const name of names) yield [`TE named ${JSON.stringify(name)}`, `${post}x: y\r\n${name}: chunked\r\n${length(body)}\r\n${body}`, refused];
  for (const hidden of ["x: y\r", "x: y\n", "x: y\r\n ", "x: y\r\n\t", "x: y\x00", "x:\r\n\r"]) {
    yield [`TE behind ${JSON.stringify(hidden)}`, `${post}${hidden}transfer-encoding: chunked\r\n${length(body)}\r\n${body}`, refused];
  }
  // Another field altogether: the length alone counts, and S is the body.
  for (const name of ["transfer_encoding", "transferencoding", "x-transfer-encoding", "te"]) yield [`TE named ${name}`, `${post}${name}: chunked\r\n${length(body)}\r\n${body}`, oneRequest];
  yield ["TE folded", `${post}transfer-encoding:\r\n chunked\r\n\r\n${body}`, refused];
  for (const minor of ["1.0", "0.9"]) yield [`TE in HTTP/${minor}`, `${post.replace("1.1", minor)}transfer-encoding: chunked\r\n\r\n${body}`, refused];
  yield ["TE on GET", `${get}transfer-encoding: chunked\r\n\r\n${chunkedBody}`, [405, 200]];
}

/** Lengths that are none, or two. */
function* contentLength(S) {
  const size = Buffer.byteLength(S);
  yield ["CL with S as the body", `${post}content-length: ${size}\r\n\r\n${S}`, oneRequest];
  yield ["CL with zeros before", `${post}content-length: 000${size}\r\n\r\n${S}`, oneRequest];
  yield ["CL 0", `${post}content-length: 0\r\n\r\n`, oneRequest];
  yield ["CL one more than there is", `${post}content-length: ${size + 100_000}\r\n\r\n${S}`, starved];
  yield ["CL on GET", `${get}content-length: ${size}\r\n\r\n${S}`, [405, 200]];
  yield ["CL twice, the same", `${post}content-length: ${size}\r\ncontent-length: ${size}\r\n\r\n${S}`, refused];
  yield ["CL twice, different", `${post}content-length: 0\r\ncontent-length: ${size}\r\n\r\n${S}`, refused];
  yield ["CL twice, other case", `${post}Content-Length: ${size}\r\nCONTENT-LENGTH: 0\r\n\r\n${S}`, refused];
  const values = [`${size}, ${size}`, `${size},0`, `0, ${size}`, `0 ${size}`, `+${size}`, `-${size}`, "-0", "-1", `0x${size.toString(16)}`, `${size}.0`, `${size}e0`, `${size};`, `${size},`, `,${size}`,
    "", " ", `${size}\x0b`, `${size}\x00`, `\x00${size}`, `"${size}"`, "NaN", "null", "true", "five", `${size}a`, `a${size}`, "1_0", "1'0", utf8("\u0665"), utf8("\uff15"), "\xa05", `${size}\u0000`, "18446744073709551616", `${2n ** 64n + BigInt(size)}`,
    "99999999999999999999999999", "0xffffffffffffffff"];
  for (const value of values) yield [`CL ${JSON.stringify(value)}`, `${post}content-length: ${value}\r\n\r\n${S}`, refused];
  for (const value of [`${2n ** 32n + BigInt(size)}`, "9223372036854775807", "9223372036854775808", "18446744073709551615", `${16 * 1024 * 1024 + 1}`]) {
    yield [`CL ${value}`, `${post}content-length: ${value}\r\n\r\n${S}`, tooLarge];
  }
  for (const name of ["content-length ", "content-length\t", " content-length", "content-length\x00", "content-length\n", "content-length\r", "\x0bcontent-length"]) {
    yield [`CL named ${JSON.stringify(name)}`, `${post}x: y\r\n${name}: ${size}\r\n\r\n${S}`, refused];
  }
  for (const hidden of ["x: y\r", "x: y\n", "x: y\r\n "]) yield [`CL behind ${JSON.stringify(hidden)}`, `${post}${hidden}content-length: ${size}\r\n\r\n${S}`, refused];
}

/** Chunks whose end is a matter of opinion. */
function* chunks(S) {
  const head = `${post}transfer-encoding: chunked\r\n\r\n`;
  const hex = Buffer.byteLength(S).toString(16);
  const end = "\r\n0\r\n\r\n";
  yield ["S as a chunk", `${head}${hex}\r\n${S}${end}`, oneRequest];
  for (const size of [hex.toUpperCase(), `000${hex}`, `${hex};a`, `${hex};a=b`, `${hex};a="b"`, `${hex};a="\\""`, `${hex} ;a`]) yield [`chunk ${JSON.stringify(size)}`, `${head}${size}\r\n${S}${end}`, oneRequest];
  const sizes = [`+${hex}`, `-${hex}`, `0x${hex}`, `${hex}h`, "", " ", "g", "-1", "1\x00", `${hex}\x00`, `1${"0".repeat(16 - hex.length)}${hex}${"0"}`, `1${hex.padStart(16, "0")}`, "fffffffffffffffff", `\t${hex}`, ` ${hex}`,
    `${hex},`, `${hex}.0`, `"${hex}"`, `${hex}\x0b`, utf8("\u0665")];
  for (const size of sizes) yield [`chunk size ${JSON.stringify(size)}`, `${head}${size}\r\n${S}${end}`, refused];
  for (const size of ["7fffffffffffffff", "ffffffffffffffff", "100000000", `1${hex.padStart(8, "0")}`]) yield [`chunk size ${size}`, `${head}${size}\r\n${S}${end}`, [413, 400]];
  yield ["chunk line ended by LF", `${head}${hex}\n${S}${end}`, refused];
  yield ["chunk line ended by CR", `${head}${hex}\r${S}${end}`, refused];
  yield ["chunk ended by LF", `${head}${hex}\r\n${S}\n0\r\n\r\n`, refused];
  yield ["chunk not ended", `${head}${hex}\r\n${S}0\r\n\r\n`, refused];
  yield ["chunk longer than it says", `${head}1\r\n${S}${end}`, refused];
  yield ["chunk shorter than it says", `${head}${(Buffer.byteLength(S) + 500_000).toString(16)}\r\n${S}${end}`, starved];
  yield ["last chunk ended by LF", `${head}0\n\n${S}`, refused];
  yield ["last line ended by LF", `${head}0\r\n\n${S}`, refused];
  yield ["last chunk with more zeros", `${head}0000\r\n\r\n`, oneRequest];
  yield ["last chunk 0x0", `${head}0x0\r\n\r\n${S}`, refused];
  yield ["last chunk -0", `${head}-0\r\n\r\n${S}`, refused];
  yield ["extension with LF", `${head}${hex};a\n${S}\r\n${end}`, refused];
  yield ["extension with CR", `${head}${hex};a\rb\r\n${S}${end}`, refused];
  yield ["extension with NUL", `${head}${hex};a\x00\r\n${S}${end}`, refused];
  yield ["extension of 20 KB", `${head}${hex};${"a".repeat(20_000)}\r\n${S}${end}`, refused];
  yield ["extension that never ends", `${head}${hex};${"a".repeat(40_000)}`, refused];
  yield ["empty line before the chunk", `${head}\r\n${hex}\r\n${S}${end}`, refused];
  // Trailers are read and forgotten; S is none.
  for (const field of ["x: y", "authorization: Bearer x", "host: y", "expect: tea", "content-type: text/plain"]) {
    yield [`trailer ${field}`, `${head}0\r\n${field}\r\n\r\n`, oneRequest];
  }
  for (const line of ["content-length: 5", "transfer-encoding: chunked", "no colon", "bad name: x", "x\x00: y", "x: y\x00", " folded", "x : y", ": y", "x: y\n"]) yield [`trailer ${JSON.stringify(line)}`, `${head}0\r\n${line}\r\n\r\n${S}`, refused];
  yield ["trailers of 40 KB", `${head}0\r\n${`x: ${"y".repeat(1000)}\r\n`.repeat(40)}\r\n${S}`, refused];
}

/** Lines of the header that are not of the grammar. */
function* fields(S) {
  const bad = (line) => `${get}${line}\r\n\r\n${S}`;
  for (const line of ["no colon", ":", ": y", "x : y", "x\t: y", " x: y", "\tx: y", "x y: z", "x: y\r\n z", "x: y\r\n\tz", "\r", "x: y\rz: a", "x\r: y", "x: \ny: z", "\nx: y", "x\n: y"]) {
    yield [`field ${JSON.stringify(line)}`, bad(line), refused];
  }
  for (const separator of '()<>@,;\\"/[]?={}') yield [`field name with ${separator}`, bad(`x${separator}y: z`), refused];
  for (const code of [...Array.from({ length: 32 }, (_, index) => index).filter((index) => ![9, 10, 13].includes(index)), 127]) {
    yield [`field value with ${control(code)}`, bad(`x: a${String.fromCharCode(code)}b`), refused];
  }
  for (const code of [0, 1, 9, 11, 32, 127, 0x80, 0xff]) yield [`field name with ${control(code)}`, bad(`x${String.fromCharCode(code)}y: z`), refused];
  yield ["field value of high bytes", `${get}x: \xe4\xff\x80\r\n\r\n`, [405, 200]];
  yield ["field value empty", `${get}x:\r\n\r\n`, [405, 200]];
  yield ["all lines ended by LF", `${get.replaceAll("\r\n", "\n")}\n${S}`, refused];
  yield ["one line ended by LF", `GET ${path} HTTP/1.1\nhost: x\r\n\r\n${S}`, refused];
  yield ["header ended by LF LF", `${get}x: y\n\n${S}`, refused];
  yield ["header ended by CR CR", `${get}x: y\r\r${S}`, refused];
  for (const host of ["", "x\r\nhost: x", "x\r\nHost: y", "x, y", "a@b", "x/y", "x y", "x?y", "x#y", "x\\y", "\xe4", "x\x00", "x\x01", "x\ty"]) {
    yield [`host ${JSON.stringify(host)}`, `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n${host === "" ? "" : S}`, host === "" ? [405, 200] : refused];
  }
  yield ["no host", `GET ${path} HTTP/1.1\r\n\r\n${S}`, refused];
  yield ["two authorizations", bad("authorization: a\r\nauthorization: b"), refused];
  for (const value of ["tea", "100-continue, tea", "200-ok", "", "100", "100-continue;a=b", "100-continue x"]) yield [`expect ${JSON.stringify(value)}`, `${post}expect: ${value}\r\n\r\n${S}`, [417]];
  yield ["expect 100-continue", `${post}expect: 100-Continue\r\ncontent-length: 2\r\n\r\n{}`, oneRequest];
  for (const value of ["gzip", "GZIP", "deflate", "br", "zstd", "compress", "x-gzip", "gzip, gzip", "identity, gzip", "gzip;q=1", "cow", ""]) {
    yield [`content-encoding ${JSON.stringify(value)}`, `${post}content-encoding: ${value}\r\ncontent-length: ${Buffer.byteLength(S)}\r\n\r\n${S}`, [415]];
  }
  yield ["content-encoding identity", `${post}content-encoding: identity\r\ncontent-length: 2\r\n\r\n{}`, oneRequest];
}

/** Request lines. `secret` is a target and a header with which the request would be taken, were the path "cleaned". */
function* requestLines(S) {
  const line = (text) => `${text}\r\nhost: x\r\n\r\n`;
  for (const version of ["HTTP/1.2", "HTTP/1.9", "HTTP/0.9", "HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/1.10", "HTTP/01.1", "http/1.1", "HTTP/1.1x", "HTTP/1,1", "HTTP /1.1", "HTTP/ 1.1", "HTTP/-1.1", "HTTPS/1.1",
    "ICY/1.0", "HTTP/1.", "HTTP/.1", "HTTP/1.1 HTTP/1.1", "HTTP/1.1 ", "", "\tHTTP/1.1", "HTTP/1.1\x00", "HTP/1.1"]) yield [`version ${JSON.stringify(version)}`, `${line(`GET /xrpc/_health ${version}`)}${S}`, refused];
  yield ["HTTP/0.9", `GET /xrpc/_health\r\n${S}`, refused];
  yield ["HTTP/2 preface", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${S}`, refused];
  yield ["TLS", `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${S}`, refused];
  yield ["only NUL", `${"\x00".repeat(200)}${S}`, refused];
  yield ["HTTP/1.0", `GET /xrpc/_health HTTP/1.0\r\n\r\n${S}`, [200]];
  yield ["HTTP/1.0 kept alive", `GET /xrpc/_health HTTP/1.0\r\nconnection: keep-alive\r\n\r\n${S}`, [200]];
  yield ["connection: close", `GET /xrpc/_health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n${S}`, [200]];
  yield ["connection: close among others", `GET /xrpc/_health HTTP/1.1\r\nhost: x\r\nconnection: x, close\r\n\r\n${S}`, [200]];
  yield ["an upgrade", `GET /xrpc/_health HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n`, [200, 200]];
  yield ["empty lines before", `\r\n\r\n\r\nGET /xrpc/_health HTTP/1.1\r\nhost: x\r\n\r\n`, [200, 200]];
  for (const before of ["\n", "\n\n", "\r", " ", "\t", "\x00", utf8("\ufeff")]) yield [`${JSON.stringify(before)} before`, `${before}${line("GET /xrpc/_health HTTP/1.1")}${S}`, refused];
  for (const method of ["get", "Get", "GET\x00", "G ET", "GE\tT", "", "G@T", "GET:", "\xe4"]) yield [`method ${JSON.stringify(method)}`, `${line(`${method} /xrpc/_health HTTP/1.1`)}${method === "get" || method === "Get" ? "" : S}`, method === "get" || method === "Get" ? [200, 200] : refused];
  for (const method of ["TRACE", "PROPFIND", "PRI", "X", "DELETE", "OPTIONS", "M-SEARCH", "A".repeat(300)]) yield [`method ${method.slice(0, 20)}`, line(`${method} /health/live HTTP/1.1`), [405, 200]];
  for (const target of ["", "xrpc/_health", "*", "?", "#", "x:443", "//", "http://", "HTTP://x/xrpc/_health", "ftp://x/", "/a b", "/a\tb", "/a\x00b", "/a\x01", "/a\x7f", "\\xrpc\\_health", "/\xe4", "/a\x0bb"]) {
    const expected = { "//": [404, 200], "http://": [404, 200], "\\xrpc\\_health": refused }[target] ?? refused;
    yield [`target ${JSON.stringify(target)}`, `${line(`GET ${target} HTTP/1.1`)}${expected === refused ? S : ""}`, expected];
  }
  yield ["CONNECT", `CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n${S}`, refused];
  for (const target of ["http://x/xrpc/_health", "https://other.test/xrpc/_health", "http://a@b:1/xrpc/_health?x"]) yield [`target ${target}`, line(`GET ${target} HTTP/1.1`), [200, 200]];
  yield ["a chunk of S alone", "0\r\n\r\n", refused];
}

export const classes = { transferEncoding, contentLength, chunks, fields, requestLines };

/** Paths that lead to `nsid` only for those who decode, clean, or fold them; and what each is here. */
export function paths(nsid) {
  const encoded = nsid.replace("blue", "%62lue");
  return [[`/xrpc/${encoded}`, 501], [`/xrpc/${nsid.replaceAll(".", "%2e")}`, 501], [`/xrpc/${nsid}%00`, 501], [`/xrpc/${nsid}%20`, 501], [`/xrpc/${nsid}%2f`, 501], [`/xrpc/${nsid}/`, 501], [`/xrpc/${nsid}//`, 501],
    [`/xrpc//${nsid}`, 501], [`/xrpc/./${nsid}`, 501], [`/xrpc/../xrpc/${nsid}`, 501], [`/xrpc/x/../${nsid}`, 501], [`/xrpc/%2e%2e/xrpc/${nsid}`, 501], [`/xrpc/%2f${nsid}`, 501], [`/xrpc/${nsid};a=b`, 501],
    [`/xrpc/${nsid};`, 501], [`/xrpc/${nsid}.`, 501], [`/xrpc/.${nsid}`, 501], [`/xrpc/${nsid.toUpperCase()}`, 501], [`/xrpc/${nsid.toLowerCase()}`, 501], [`/xrpc/${nsid}&x`, 501], [`/xrpc/${nsid}%3fx`, 501],
    [`/xrpc/${nsid}#x`, 501], [`/xrpc/${nsid.replace("s", "%u0073")}`, 501], [`/xrpc/${nsid.replace("s", "%c5%bf")}`, 501], [`/xrpc/${encoded.replaceAll("%", "%25")}`, 501], [`/xrpc/${nsid}%0d%0a`, 501],
    [`/XRPC/${nsid}`, 405], [`//xrpc/${nsid}`, 405], [`/./xrpc/${nsid}`, 405], [`/x/../xrpc/${nsid}`, 405], [`/%78rpc/${nsid}`, 405], [`/xrpc%2f${nsid}`, 405], [`/xrpc;/${nsid}`, 405], [`/xrpc\\${nsid}`, 405],
    [`/${nsid}`, 405], [`/health/../xrpc/${nsid}`, 405], [`/metrics/..;/xrpc/${nsid}`, 405], [`/%2e/xrpc/${nsid}`, 405], [`http://x//xrpc/${nsid}`, 405], [`http://x/%78rpc/${nsid}`, 405]];
}
