/**
 * Claims chunks of a ledger through the project's own API, with an open connection, and prints one line of JSON per
 * size: the time of a claim, of the update of one row by its primary key and a COMMIT on the same connection, and of
 * recording chunks. Called with URL CLAIMS SIZE…
 */
import { pendingChunks } from './chunk-rows.mjs'
import { median } from './measure.mjs'

/** Chunks that the program records; all others of a size are inserted by one statement of the database. */
const WRITTEN = 20_000

const [, , url = '', claimsText = '', ...sizes] = process.argv
const { openCopyStore } = await import('../../build/engine/copy/open-stores.js')
const { ChunkLedger } = await import('../../build/engine/copy/ledger/chunks.js')
const { Planning } = await import('../../build/engine/copy/ledger/planning.js')
const { RunLedger } = await import('../../build/engine/copy/ledger/runs.js')
const { newOwner } = await import('../../build/shared/owner.js')
const { prepareLedger } = await import('../../build/engine/copy/ledger/schema.js')
const { ledgerDialect } = await import('../../build/stores/ledger-dialect.js')

/** @param {() => Promise<unknown>} body */
async function timed(body) {
  const start = performance.now()
  await body()
  return performance.now() - start
}

const store = await openCopyStore(url, { mode: 'write' })
const ledger = await store.ledger()
await prepareLedger(ledger)
const { castText } = ledgerDialect(ledger.dialect).types
const who = { ...newOwner('bench'), runId: 1n }
for (const size of sizes.map(Number)) {
  // Chunks of another table, so that the others stay in the ledger.
  const key = { schema: '', name: `t${size}` }
  await new RunLedger(ledger, who).savePlan(key, { source: 's', sourceTable: 't', hash: 'h', plan: '{}', wishes: '{}', chunkRows: 1, planned: false, madeHere: true }, false) // prettier-ignore
  const planning = new Planning(ledger, key, who)
  await planning.take()
  const book = new ChunkLedger(ledger, key, who)
  const written = Math.min(size, WRITTEN)
  const addMs = await timed(async () => {
    for (let no = 1; no <= written; no += 1000) {
      const some = Array.from({ length: Math.min(1000, written - no + 1) }, (_, i) => ({ kind: 'key', lo: `["${no + i - 1}000"]`, hi: `["${no + i}000"]`, startId: BigInt(no + i), endId: BigInt(no + i + 1) })) // prettier-ignore
      await book.add(some, no, planning)
    }
  })
  for (const sql of pendingChunks(key.name, written + 1, size, castText)) await ledger.batch([{ sql, parameters: [] }])
  const ms = []
  for (let i = 0; i < Number(claimsText); i++) ms.push(await timed(() => book.claims.claim(null)))
  const floor = []
  const [[last]] = await ledger.all('SELECT MAX(id) FROM migration_checkpoints')
  for (let i = 0; i < Number(claimsText); i++) {
    const update = {
      sql: "UPDATE migration_checkpoints SET claim = 'floor' WHERE id = ?",
      parameters: [Number(last) - i],
    }
    floor.push(await timed(() => ledger.batch([update])))
  }
  const looks = []
  for (let i = 0; i < 5; i++) looks.push(await timed(() => book.claims.remaining(null)), await timed(() => book.claims.expired())) // prettier-ignore
  process.stdout.write(
    `${JSON.stringify({ size, addMs: (addMs / written) * 1000, claim: median(ms), least: Math.min(...ms), most: Math.max(...ms), floor: median(floor), leastFloor: Math.min(...floor), look: median(looks) })}\n`,
  )
}
await ledger[Symbol.asyncDispose]()
await store[Symbol.asyncDispose]()
