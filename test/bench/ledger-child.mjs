/**
 * Claims chunks of a ledger through the project's own API, with an open connection, and prints JSON a line for each size: what a claim takes, what the
 * bare statements take on the same connection, and what D1 says that it read. Called with URL RUNS SIZE…
 */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from './lakes.mjs'
import { median } from './measure.mjs'

/** @param {string} name of a module of dist/ */
const load = (name) => import(pathToFileURL(path.join(ROOT, 'dist', name)).href)

const [, , url = '', claimsText = '', ...sizes] = process.argv
const { openCopyStore } = await load('engine/copy/open-stores.js')
const { ChunkLedger } = await load('engine/copy/ledger/chunks.js')
const { Planning } = await load('engine/copy/ledger/planning.js')
const { RunLedger } = await load('engine/copy/ledger/runs.js')
const { newOwner } = await load('shared/owner.js')
const { prepareLedger } = await load('engine/copy/ledger/schema.js')

/** @param {() => Promise<unknown>} body */
async function timed(body) {
  const start = performance.now()
  await body()
  return performance.now() - start
}

const store = await openCopyStore(url, { mode: 'write' })
const ledger = await store.ledger()
await prepareLedger(ledger)
const who = { ...newOwner('bench'), runId: 1n }
let chunks = 0
for (const size of sizes.map(Number)) {
  // Of a table of its own, so that the others are in the ledger too.
  const key = { schema: '', name: `t${size}` }
  await new RunLedger(ledger, who).savePlan(key, { source: 's', sourceTable: 't', hash: 'h', plan: '{}', wishes: '{}', chunkRows: 1, planned: false, madeHere: true }, false) // prettier-ignore
  const planning = new Planning(ledger, key, who)
  await planning.take()
  const book = new ChunkLedger(ledger, key, who)
  const addMs = await timed(async () => {
    for (let no = 1; no <= size; no += 1000) {
      const some = Array.from({ length: Math.min(1000, size - no + 1) }, (_, i) => ({ kind: 'key', lo: `["${no + i - 1}000"]`, hi: `["${no + i}000"]`, startId: BigInt(no + i), endId: BigInt(no + i + 1) })) // prettier-ignore
      await book.add(some, no, planning)
    }
  })
  chunks += size
  const ms = []
  for (let i = 0; i < Number(claimsText); i++) ms.push(await timed(() => book.claims.claim(null)))
  const floor = []
  for (let i = 0; i < Number(claimsText); i++) {
    floor.push(
      await timed(async () => {
        const [[id]] = await ledger.all(`SELECT MAX(id) FROM migration_checkpoints WHERE id <= ?`, [chunks - i])
        await ledger.batch([
          { sql: "UPDATE migration_checkpoints SET owner = 'floor' WHERE id = ?", parameters: [id] },
          { sql: 'SELECT lo, hi FROM migration_checkpoints WHERE id = ?', parameters: [id] },
        ])
      }),
    )
  }
  const looks = []
  for (let i = 0; i < 5; i++) looks.push(await timed(() => book.claims.left(null)), await timed(() => book.claims.expired())) // prettier-ignore
  process.stdout.write(
    `${JSON.stringify({ size, addMs, claim: median(ms), most: Math.max(...ms), floor: median(floor), look: median(looks) })}\n`,
  )
}
await ledger[Symbol.asyncDispose]()
await store[Symbol.asyncDispose]()
