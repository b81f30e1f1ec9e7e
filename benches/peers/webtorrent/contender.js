// Drives bittorrent-dht by lines of JSON, in the words that `benches/contender` answers too.
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
const rawKey = secret => createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32)
const verifyEd25519 = (signature, message, key) => verify(null, message, publicKey(Buffer.from(key)), Buffer.from(signature))

const seedOf = index => {
  const seed = Buffer.alloc(32, 0x42)
  seed.writeBigUInt64LE(BigInt(index))
  return seed
}

const start = async bootstrap => {
  const node = new DHT({ bootstrap: bootstrap.length ? bootstrap : false, verify: verifyEd25519 })
  node.on('error', () => {})
  node.on('warning', () => {})
  await new Promise(resolve => node.listen(0, '127.0.0.1', resolve))
  if (bootstrap.length && !node.ready) await new Promise(resolve => node.once('ready', resolve))
  nodes.push(node)
  return node
}

const many = async ({ first, count, parallel }, one) => {
  const early = []; const whole = []
  const begun = performance.now()
  let next = first
  const worker = async () => {
    while (next < first + count) {
      const index = next++
      const from = performance.now()
      const well = await one(index, () => early.push(performance.now() - from))
      if (well) whole.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  return { seconds: (performance.now() - begun) / 1000, done: whole.length, first_ms: early, ms: whole }
}

const operations = {
  async serve ({ bootstrap }) {
    const node = await start(bootstrap)
    return { address: `127.0.0.1:${node.address().port}` }
  },

  async join ({ bootstrap }) {
    await start(bootstrap)
    return { ready: true }
  },

  async testnet ({ nodes: count }) {
    const from = performance.now()
    const known = []
    for (let i = 0; i < count; i++) {
      const node = await start(known.slice(0, 8))
      known.push(`127.0.0.1:${node.address().port}`)
    }
    return { ready_ms: performance.now() - from }
  },

  async put (request) {
    return await many(request, index => {
      const secret = privateKey(seedOf(index))
      const item = { k: rawKey(secret), seq: 1, v: Buffer.alloc(100, 'v'), sign: bytes => sign(null, bytes, secret) }
      return new Promise(resolve => nodes[0].put(item, (error, hash, stored) => resolve(!error && stored > 0)))
    })
  },

  async get (request) {
    const { createHash } = await import('node:crypto')
    return await many(request, index => {
      const key = rawKey(privateKey(seedOf(index)))
      const target = createHash('sha1').update(key).digest()
      return new Promise(resolve => nodes[0].get(target, { cache: false }, (error, item) => resolve(!error && !!item)))
    })
  },

  async idle ({ count }) {
    const ms = []
    for (let i = 0; i < count; i++) {
      const from = performance.now()
      nodes[0].toJSON()
      ms.push(performance.now() - from)
    }
    return { ms }
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
