/**
 * A program that uses a ledger in Cassandra: it claims chunks and closes them until none are left, and prints
 * everything that the ledger has confirmed. SLUICE_CHILD: `{url, keyspace, table, leaseMs, number, workMs}` as JSON.
 * stdout: a JSON line for each claim, close and token; the last one is `done`.
 */
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { leaseOfCopies, patchModules } from './patched-modules.mjs'

const { url, keyspace, table, leaseMs, number, workMs } = JSON.parse(process.env['SLUICE_CHILD'] ?? '{}')

patchModules([leaseOfCopies(leaseMs)])

const { ChunkClaims, renewal } = await import('../../build/engine/copy/ledger/claims.js')
const { closingOf } = await import('../../build/engine/copy/ledger/closing.js')
const { batchOnce } = await import('../../build/engine/copy/ledger/once.js')
const { newOwner } = await import('../../build/shared/owner.js')
const { connectCassandra } = await import('../../build/stores/cassandra/connect.js')
const { openCqlLedger } = await import('../../build/stores/cassandra/ledger/index.js')

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const link = await connectCassandra(url, { environment: {} })
const database = await openCqlLedger(link, keyspace, new AbortController().signal, { snapshotEntries: 40 })
const owner = { ...newOwner('elsewhere'), machine: 'another one', runId: BigInt(number) }
const chunks = new ChunkClaims(database, { schema: keyspace, name: table }, owner)
let tokens = 0

async function worker() {
  for (;;) {
    try {
      const claim = await chunks.claim(null)
      if (claim === null) {
        for (const chunk of await chunks.expired()) await chunks.free(chunk)
        const { pending, held } = await chunks.remaining(null)
        if (!pending && !held) return
        await sleep(50)
        continue
      }
      say({ claimed: claim.id, fence: claim.fence })
      await sleep(Math.random() * workMs)
      const tally = { read: 1n, written: 1n, skipped: 0n, quarantined: 0n, bytes: 1n }
      const point = { view: '', at: '' }
      const proof = /** @type {const} */ ({
        scheme: 'none',
        source: null,
        target: null,
        point,
        surplus: 0n,
        refused: null,
      })
      const { statements, landed } = closingOf(database, owner, claim, tally, proof, null, [])
      const token = `kept ${number} ${++tokens}`
      const results = await database.batch([...statements, landed])
      chunks.drop(claim)
      if (results.at(-1).length > 0) say({ closed: claim.id, fence: claim.fence })
      await batchOnce(database, owner.id, [
        { sql: 'INSERT INTO migration_tokens (token) VALUES (?)', parameters: [token] },
      ])
      say({ token })
    } catch (error) {
      say({ failed: error.code ?? 'none', message: error.message })
      if (error.retryable !== true) throw error
    }
  }
}

const beat = setInterval(() => void database.batch([renewal(database, owner.id)]).catch(() => undefined), leaseMs / 3)
await Promise.all([worker(), worker()])
clearInterval(beat)
say({ done: true })
await database[Symbol.asyncDispose]()
await link[Symbol.asyncDispose]()
// As the command does: a driver that is closed while it opens a connection leaves that connection open.
process.exit()
