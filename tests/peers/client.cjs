// Drives every toxic through `toxiproxy-node-client` and sees its effect on a connection.
//
// node client.cjs http://127.0.0.1:8474
"use strict";
const assert = require("node:assert/strict");
const net = require("node:net");
const { once } = require("node:events");
const { Toxiproxy, ToxiproxyError } = require("toxiproxy-node-client");

const [admin] = process.argv.slice(2);
const toxiproxy = new Toxiproxy(admin);

/** A service that sends back what it gets, and closes when its client does. */
async function echo() {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.setNoDelay();
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function connect(proxy) {
  const at = proxy.listen.lastIndexOf(":");
  const port = Number(proxy.listen.slice(at + 1));
  const socket = net.connect({ port, host: proxy.listen.slice(0, at), allowHalfOpen: true });
  await once(socket, "connect");
  socket.setNoDelay();
  // An error between two calls is told by the next.
  socket.on("error", () => {});
  socket.pause();
  return socket;
}

/**
 * What comes until `length` bytes are there or the connection is over, and when. Between two calls
 * the socket is paused, so that nothing happens unheard.
 */
function hear(socket, length) {
  const begun = performance.now();
  return new Promise((done) => {
    let bytes = 0;
    let pieces = 0;
    const heard = {
      data(data) {
        bytes += data.length;
        pieces += 1;
        if (bytes >= length) over("more");
      },
      end: () => over("FIN"),
      error: (error) => over(error.code),
    };
    const over = (end) => {
      socket.pause();
      for (const [event, listener] of Object.entries(heard)) socket.off(event, listener);
      done({ bytes, pieces, end, took: performance.now() - begun });
    };
    if (socket.errored) return over(socket.errored.code);
    if (socket.readableEnded) return over("FIN");
    for (const [event, listener] of Object.entries(heard)) socket.on(event, listener);
    socket.resume();
  });
}

/** Sends `length` bytes and hears as many again. */
function ask(socket, length) {
  socket.write(Buffer.alloc(length, 7));
  return hear(socket, length);
}

/** Whether nothing at all comes for so long. */
async function isSilent(socket, ms) {
  const waited = new Promise((done) => setTimeout(done, ms, "silence"));
  return (await Promise.race([hear(socket, 1), waited])) === "silence";
}

function within(took, least, most) {
  assert.ok(took >= least - 1 && took < most, `${took} ms is not within ${least} to ${most} ms`);
}

const EFFECTS = {
  async latency(proxy) {
    const socket = await connect(proxy);
    const body = { type: "latency", attributes: { latency: 300, jitter: 0 } };
    const toxic = await proxy.addToxic(body);
    assert.equal(toxic.name, "latency_downstream");
    within((await ask(socket, 10)).took, 300, 1500);
    const slower = await toxic.update({ attributes: { latency: 500 } });
    assert.deepEqual(slower.attributes, { latency: 500, jitter: 0 });
    within((await ask(socket, 10)).took, 500, 1700);
    await toxic.remove();
    within((await ask(socket, 10)).took, 0, 290);
  },
  async bandwidth(proxy) {
    await proxy.addToxic({ type: "bandwidth", attributes: { rate: 100 } });
    within((await ask(await connect(proxy), 100_000)).took, 900, 2500);
  },
  async slow_close(proxy) {
    await proxy.addToxic({ type: "slow_close", attributes: { delay: 500 } });
    const socket = await connect(proxy);
    await ask(socket, 10);
    socket.end();
    const heard = await hear(socket, 1);
    assert.equal(heard.end, "FIN");
    within(heard.took, 490, 2000);
  },
  async timeout(proxy) {
    const toxic = await proxy.addToxic({ type: "timeout", attributes: { timeout: 0 } });
    const held = await connect(proxy);
    held.write("lost");
    assert.ok(await isSilent(held, 300));
    await toxic.remove();
    await proxy.addToxic({ type: "timeout", attributes: { timeout: 500 } });
    const socket = await connect(proxy);
    const heard = await ask(socket, 10);
    assert.deepEqual([heard.bytes, heard.end], [0, "FIN"]);
    within(heard.took, 450, 2000);
  },
  async reset_peer(proxy) {
    await proxy.addToxic({ type: "reset_peer", attributes: { timeout: 300 } });
    const heard = await ask(await connect(proxy), 10);
    assert.deepEqual([heard.bytes, heard.end], [0, "ECONNRESET"]);
    within(heard.took, 300, 1500);
  },
  async slicer(proxy) {
    const attributes = { average_size: 100, size_variation: 50, delay: 20_000 };
    await proxy.addToxic({ type: "slicer", attributes });
    const heard = await ask(await connect(proxy), 1000);
    assert.ok(heard.pieces >= 4, `${heard.pieces} pieces`);
    within(heard.took, 100, 3000);
  },
  async limit_data(proxy) {
    await proxy.addToxic({ type: "limit_data", attributes: { bytes: 1000 } });
    const heard = await ask(await connect(proxy), 5000);
    assert.equal(heard.bytes, 1000);
    assert.notEqual(heard.end, "more");
  },
  async noop(proxy) {
    await proxy.addToxic({ type: "noop", stream: "upstream", name: "nothing", toxicity: 0.5 });
    within((await ask(await connect(proxy), 5000)).took, 0, 1000);
    const toxic = await proxy.getToxic("nothing");
    assert.equal(toxic.stream, "upstream");
    assert.equal(toxic.toxicity, 0.5);
  },
};

async function proxies(upstream) {
  assert.equal(JSON.parse(await toxiproxy.getVersion()).version, "2.12.0");
  const made = await toxiproxy.populate([
    { name: "one", listen: "localhost:0", upstream },
    { name: "two", listen: "localhost:0", upstream, enabled: false },
  ]);
  assert.deepEqual(Object.keys(made), ["one", "two"]);
  assert.equal(made.two.enabled, false);
  const { one } = await toxiproxy.getAll();
  await ask(await connect(one), 10);
  await assert.rejects(
    toxiproxy.createProxy({ name: "one", listen: "localhost:0", upstream }),
    (error) => error instanceof ToxiproxyError && /409/.test(error.message),
  );
  await assert.rejects(toxiproxy.get("missing"), ToxiproxyError);
  const socket = await connect(one);
  await ask(socket, 10);
  const down = await one.update({ enabled: false, listen: one.listen, upstream });
  assert.equal((await hear(socket, 1)).end, "FIN");
  await assert.rejects(connect(down), { code: "ECONNREFUSED" });
  await toxiproxy.reset();
  const up = await toxiproxy.get("one");
  assert.deepEqual([up.enabled, up.listen], [true, one.listen]);
  await ask(await connect(up), 10);
  for (const proxy of Object.values(await toxiproxy.getAll())) await proxy.remove();
  assert.deepEqual(await toxiproxy.getAll(), {});
}

async function main() {
  const server = await echo();
  const upstream = `127.0.0.1:${server.address().port}`;
  await proxies(upstream);
  for (const [type, effect] of Object.entries(EFFECTS)) {
    const proxy = await toxiproxy.createProxy({ name: type, listen: "127.0.0.1:0", upstream });
    try {
      await effect(proxy);
    } catch (error) {
      throw new Error(`${type}: ${error.message}`, { cause: error });
    }
    await proxy.remove();
    console.log(`${type}: as it should be`);
  }
}

// Whatever hangs, it does not hang for good.
setTimeout(() => {
  console.error("it takes too long");
  process.exit(1);
}, 60_000);

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
