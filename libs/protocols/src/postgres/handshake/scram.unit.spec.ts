import fc from "fast-check";
import {
  mockVerifier,
  parseScramVerifier,
  readClientFirst,
  ScramClient,
  ScramFailure,
  ScramServer,
  saslPrep,
  scramVerifier,
} from "./scram.js";

/** RFC 7677, section 3. */
const RFC = {
  password: "pencil",
  clientNonce: "rOprNGfwEbeRWgbNEkqO",
  serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
  proof: "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  signature: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

describe("SCRAM-SHA-256", () => {
  test("a server gives RFC 7677's answers", () => {
    const verifier = parseScramVerifier(scramVerifier(RFC.password, Buffer.from(RFC.salt, "base64")));
    const first = readClientFirst("SCRAM-SHA-256", `n,,n=user,r=${RFC.clientNonce}`, null);
    // The RFC's server nonce is not base64, so the exchange is made with its own and the challenge is the RFC's.
    const server = new ScramServer(
      { ...first, nonce: RFC.clientNonce + RFC.serverNonce },
      verifier,
      new Uint8Array(0),
      null,
    );
    expect(server.challenge).toBe(`r=${RFC.clientNonce}${RFC.serverNonce},s=${RFC.salt},i=4096`);
    expect(server.finish(`c=biws,r=${RFC.clientNonce}${RFC.serverNonce},${RFC.proof}`)).toBe(RFC.signature);
  });

  test("a verifier is in PostgreSQL's format", () => {
    expect(scramVerifier(RFC.password, Buffer.from(RFC.salt, "base64"))).toBe(
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    );
    expect(() => parseScramVerifier("SCRAM-SHA-256$4096:nonsense")).toThrow("not a SCRAM-SHA-256 verifier");
  });

  const exchange = (password: string, verifier = scramVerifier("right", Buffer.from("salt"), 2)) => {
    const client = new ScramClient(password, Buffer.from("client nonce"));
    const server = new ScramServer(
      readClientFirst("SCRAM-SHA-256", client.first, null),
      parseScramVerifier(verifier),
      Buffer.from("server nonce"),
      null,
    );
    const answer = client.answer(server.challenge);
    return { client, server, answer };
  };

  test("both sides prove themselves to each other", () => {
    const { client, server, answer } = exchange("right");
    expect(client.proves(server.finish(answer))).toBe(true);
    expect(client.proves("v=AAAA")).toBe(false);
  });

  test("a wrong password, a changed proof and another nonce fail", () => {
    const wrong = exchange("wrong");
    expect(() => wrong.server.finish(wrong.answer)).toThrow(ScramFailure);
    const right = exchange("right");
    expect(() => right.server.finish(right.answer.replace("r=", "r=x"))).toThrow("nonce");
    expect(() => right.server.finish(right.answer.replace("c=biws", "c=eSws"))).toThrow("channel binding");
    expect(() => right.server.finish(`${right.answer}x`)).toThrow(ScramFailure);
  });

  test("a client refuses a nonce that does not begin with its own, and an absurd iteration count", () => {
    const client = new ScramClient("x", Buffer.from("nonce"));
    expect(() => client.answer("r=other,s=c2FsdA==,i=4096")).toThrow("not ours");
    const nonce = client.first.split("r=")[1];
    expect(() => client.answer(`r=${nonce},s=c2FsdA==,i=4096`)).toThrow("not ours");
    expect(() => client.answer(`r=${nonce}x,s=c2FsdA==,i=99999999`)).toThrow("absurd");
  });

  test("channel binding: the certificate's hash must be the one the server knows", () => {
    const endpoint = Buffer.from("hash of the certificate");
    const verifier = parseScramVerifier(scramVerifier("right", Buffer.from("salt"), 2));
    const first = readClientFirst("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc", endpoint);
    const server = new ScramServer(first, verifier, Buffer.from("x"), endpoint);
    const nonce = server.challenge.split(",")[0];
    const other = Buffer.from("p=tls-server-end-point,,another hash").toString("base64");
    expect(() => server.finish(`c=${other},${nonce},p=${Buffer.alloc(32).toString("base64")}`)).toThrow(
      "channel binding",
    );
  });

  test("who claims channel binding was not offered, while it was, is refused", () => {
    expect(() => readClientFirst("SCRAM-SHA-256", "y,,n=,r=abc", Buffer.from("hash"))).toThrow("in between");
    expect(() => readClientFirst("SCRAM-SHA-256", "y,,n=,r=abc", null)).not.toThrow();
    expect(() => readClientFirst("SCRAM-SHA-256", "n,a=admin,n=,r=abc", null)).toThrow("identity");
  });

  test("whatever a client sends, it is read or refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          readClientFirst("SCRAM-SHA-256", text, null);
        } catch (error) {
          expect(error).toBeInstanceOf(ScramFailure);
        }
      }),
    );
  });

  test("an unknown token has a verifier of its own, always the same", () => {
    const key = Buffer.from("mock key");
    expect(mockVerifier(key, "a")).toEqual(mockVerifier(key, "a"));
    expect(mockVerifier(key, "a").salt).not.toEqual(mockVerifier(key, "b").salt);
    expect(mockVerifier(key, "a").salt).not.toEqual(mockVerifier(Buffer.from("another"), "a").salt);
    expect(mockVerifier(key, "a")).toMatchObject({ iterations: 4096 });
  });

  test("SASLprep (RFC 4013, section 3; what is prohibited stays as it is, as in PostgreSQL)", () => {
    expect(saslPrep("I\u00adX")).toBe("IX");
    expect(saslPrep("user")).toBe("user");
    expect(saslPrep("\u00aa")).toBe("a");
    expect(saslPrep("\u2168")).toBe("IX");
    expect(saslPrep("a\u00a0b")).toBe("a b");
    expect(saslPrep("\u00e9\u0007")).toBe("\u00e9\u0007");
  });
});
