// SPDX-License-Identifier: MIT
// Users of the AT Protocol, and a DID directory on loopback that answers for them.
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import { P256Keypair, Secp256k1Keypair } from "@atproto/crypto";
import { createServiceJwt } from "@atproto/xrpc-server";

export const serviceDid = "did:web:catbird.test";
const plcAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

const newPlcDid = () =>
  `did:plc:${[...randomBytes(24)].map((byte) => plcAlphabet[byte % 32]).join("")}`;

/** A user with its signing key: ES256K, or ES256 for keyType "p256". */
export class Identity {
  static async create(name, keyType = "k256") {
    const kind = keyType === "p256" ? P256Keypair : Secp256k1Keypair;
    return new Identity(name, newPlcDid(), await kind.create());
  }

  constructor(name, did, keypair, device) {
    Object.assign(this, { name, did, keypair, device });
  }

  /** A token for one call, as the user's PDS would make it. */
  token(method) {
    const iss = this.device ? `${this.did}#${this.device}` : this.did;
    return createServiceJwt({ iss, aud: serviceDid, lxm: method, keypair: this.keypair });
  }

  /** The same user on a device of its own, which its tokens name. */
  on(device) {
    return new Identity(this.name, this.did, this.keypair, device);
  }

  document() {
    return {
      "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
      id: this.did,
      alsoKnownAs: [`at://${this.name}.test`],
      verificationMethod: [{
        id: `${this.did}#atproto`,
        type: "Multikey",
        controller: this.did,
        publicKeyMultibase: this.keypair.did().slice("did:key:".length),
      }],
      service: this.dataServer ? [{ id: "#atproto_pds", type: "AtprotoPersonalDataServer", serviceEndpoint: this.dataServer }] : [],
    };
  }
}

/** GET /did%3Aplc%3A… answers the document of a known user, else 404; or what a test makes of it. */
export class Directory {
  #documents = new Map();
  #served = new Map();
  #server;
  requests = 0;

  static async start() {
    const directory = new Directory();
    directory.#server = createServer((request, response) => directory.#answer(request, response));
    await new Promise((resolve) => directory.#server.listen(0, "127.0.0.1", resolve));
    return directory;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  add(identity) {
    this.#documents.set(identity.did, identity.document());
    return identity;
  }

  async newUser(name, keyType) {
    return this.add(await Identity.create(name, keyType));
  }

  /** From now on `answer` (request, response) answers for this DID. */
  serve(did, answer) {
    this.#served.set(did, answer);
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request, response) {
    this.requests += 1;
    const did = decodeURIComponent(request.url.slice(1));
    if (this.#served.has(did)) return this.#served.get(did)(request, response);
    const document = this.#documents.get(did);
    response.writeHead(document ? 200 : 404, { "content-type": "application/did+ld+json" });
    response.end(JSON.stringify(document ?? { message: `DID not registered: ${did}` }));
  }
}

