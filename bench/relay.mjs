// The ceiling: a relay that copies bytes between two sockets and does nothing else. `node bench/relay.mjs LISTEN UPSTREAM`
import { connect, createServer } from "node:net";

const [listenPort, upstreamPort] = process.argv.slice(2).map(Number);

const server = createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host: "127.0.0.1", port: upstreamPort, noDelay: true });
  const join = (from, to) => {
    from.on("data", (chunk) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
  };
  join(client, upstream);
  join(upstream, client);
});
server.listen(listenPort, "127.0.0.1", () => console.log("ready"));
