// Drives bittorrent-dht by lines of JSON: one request on stdin, one answer on stdout.
//
// Requests: {"op": "start", "nodes": N, "bootstrap": ["ip:port", ...]}, then put_mutable, get_mutable,
// put_immutable, get_immutable, announce, get_peers.
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { createInterface } from 'node:readline'
import DHT from 'bittorrent-dht'

const nodes = []

// The library leaves Ed25519 to its user; Node has it, behind the DER forms of RFC 8410.
const publicKey = raw => createPublicKey({
  key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki'
})
const privateKey = seed => createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8'
})
const verifyEd25519 = (signature, message, key) => verify(null, message, publicKey(Buffer.from(key)), Buffer.from(signature))

const operations = {
  async start ({ nodes: count, bootstrap }) {
    const known = [...bootstrap]
    for (let i = 0; i < count; i++) {
      const node = new DHT({ bootstrap: known.length ? [...known] : false, verify: verifyEd25519 })
      node.on('error', () => {})
      node.on('warning', () => {})
      await new Promise(resolve => node.listen(0, '127.0.0.1', resolve))
      if (known.length) await new Promise(resolve => node.ready ? resolve() : node.once('ready', resolve))
      known.push(`127.0.0.1:${node.address().port}`)
      nodes.push(node)
    }
    return { addresses: nodes.map(node => `127.0.0.1:${node.address().port}`), nodes: nodes.map(node => node.toJSON().nodes.length) }
  },

  async put_mutable ({ session = 0, seed, key, salt, seq, value, cas }) {
    const secret = privateKey(Buffer.from(seed, 'hex'))
    const item = { k: Buffer.from(key, 'hex'), seq, v: Buffer.from(value, 'hex'), sign: bytes => sign(null, bytes, secret) }
    if (salt) item.salt = Buffer.from(salt, 'hex')
    if (cas !== undefined) item.cas = cas
    return await new Promise(resolve => nodes[session].put(item, (error, hash, stored) =>
      resolve(error ? { error: error.message } : { target: hash.toString('hex'), stored })))
  },

  async get_mutable ({ session = 0, target, salt }) {
    const options = { cache: false, verify: verifyEd25519 }
    if (salt) options.salt = Buffer.from(salt, 'hex')
    return await new Promise(resolve => nodes[session].get(Buffer.from(target, 'hex'), options, (error, item) =>
      resolve(error || !item ? { error: error ? error.message : 'not found' } : { seq: item.seq, value: Buffer.from(item.v).toString('hex') })))
  },

  async put_immutable ({ session = 0, value }) {
    return await new Promise(resolve => nodes[session].put({ v: Buffer.from(value, 'hex') }, (error, hash, stored) =>
      resolve(error ? { error: error.message } : { target: hash.toString('hex'), stored })))
  },

  async get_immutable ({ session = 0, target }) {
    return await new Promise(resolve => nodes[session].get(Buffer.from(target, 'hex'), { cache: false }, (error, item) =>
      resolve(error || !item ? { error: error ? error.message : 'not found' } : { value: Buffer.from(item.v).toString('hex') })))
  },

  async announce ({ session = 0, info_hash: infoHash, port }) {
    return await new Promise(resolve => nodes[session].announce(Buffer.from(infoHash, 'hex'), port, error =>
      resolve(error ? { error: error.message } : { announced: true })))
  },

  async get_peers ({ session = 0, info_hash: infoHash }) {
    const found = new Set()
    const collect = (peer, hash) => { if (Buffer.from(hash).toString('hex') === infoHash) found.add(`${peer.host}:${peer.port}`) }
    nodes[session].on('peer', collect)
    await new Promise(resolve => nodes[session].lookup(Buffer.from(infoHash, 'hex'), resolve))
    nodes[session].off('peer', collect)
    return { peers: [...found].sort() }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    const request = JSON.parse(line)
    answer = await operations[request.op](request)
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
process.exit(0)
