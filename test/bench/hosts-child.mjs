/**
 * The hosts of `hosts.mjs`: called with URL CHUNKS SECONDS HOSTS…, prints one line of JSON per number of hosts and
 * figure.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pendingChunks } from './chunk-rows.mjs'
import { median } from './measure.mjs'

const { openCopyStore } = await import('../../build/engine/copy/open-stores.js')
const { ChunkLedger } = await import('../../build/engine/copy/ledger/chunks.js')
const { closingOf } = await import('../../build/engine/copy/ledger/closing.js')
const { Planning } = await import('../../build/engine/copy/ledger/planning.js')
const { RunLedger } = await import('../../build/engine/copy/ledger/runs.js')
const { prepareLedger } = await import('../../build/engine/copy/ledger/schema.js')
const { startCopyHeartbeat } = await import('../../build/engine/copy/workers/heartbeat.js')
const { reclaimExpired } = await import('../../build/engine/copy/workers/reclaim.js')
const { newOwner } = await import('../../build/shared/owner.js')

const [, , url = '', chunksText = '', secondsText = '', ...counts] = process.argv
const [chunks, seconds] = [Number(chunksText), Number(secondsText)]
const KEY = { schema: '', name: 'orders' }
/** Interval at which a host checks leases of others. */
const LOOK_MS = 5000
const SILENT = 20

/** @param {object} line */
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
/** @param {string} figure @param {string} is */
const note = (figure, is) => {
  process.stderr.write(`${figure}: ${is}\n`)
  tell({ figure, is })
}
/** @param {number} ms */
const inSeconds = (ms) => `${(ms / 1000).toFixed(1)} s`

/** @param {() => Promise<unknown>} body */
async function timed(body) {
  const start = performance.now()
  await body()
  return performance.now() - start
}

/** @param {number[]} ms */
function spread(ms) {
  const sorted = ms.toSorted((a, b) => a - b)
  if (sorted.length === 0) return { median: 0, p99: 0, most: 0 }
  return { median: median(sorted), p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, most: sorted.at(-1) ?? 0 }
}

const TALLY = { read: 1000n, written: 1000n, skipped: 0n, quarantined: 0n, bytes: 100_000n }
const PROOF = /** @type {const} */ ({
  scheme: 'canonical',
  source: { rows: 1000n, sum: 'a'.repeat(64) },
  target: { rows: 1000n, sum: 'a'.repeat(64) },
  point: { view: '00000003-0000001B-1', position: '0/1A2B3C4', at: '2026-01-01T00:00:00Z' },
  surplus: 0n,
  refused: null,
})

/** A host with a foreign host name, so that only its silence shows that it is lost. @param {number} no */
async function host(no) {
  const store = await openCopyStore(url, { mode: 'write' })
  const database = await store.ledger()
  await prepareLedger(database)
  const runId = BigInt(Date.now()) * 1000n + BigInt(no)
  const owner = { ...newOwner(`host-${no}`), machine: `bench/${randomUUID()}`, pid: 1, started: '1', runId }
  const run = { operation: 'copy', source: 'bench', target: 'bench', planHash: 'h', command: 'bench', tool: 'bench', actor: 'bench' } // prettier-ignore
  await new RunLedger(database, owner).start(run, true)
  const book = new ChunkLedger(database, KEY, owner)
  const beat = startCopyHeartbeat(database, owner, async () => undefined)
  const leave = async () => {
    clearInterval(beat)
    await database[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  }
  const finish = () => timed(() => new RunLedger(database, owner).finish('completed', 0, null))
  return { database, owner, book, beat, leave, finish }
}

/** @param {Awaited<ReturnType<typeof host>>} one @param {any} claim */
function close({ database, owner }, claim) {
  const { statements, guard } = closingOf(database, owner, claim, TALLY, PROOF, null, [])
  return database.batch([guard, ...statements])
}

/** Claims and closes chunks until a time. @param {Awaited<ReturnType<typeof host>>[]} all @param {number} until */
async function drain(all, until) {
  const [claims, closes, looks] = [[], [], []]
  const one = async (each) => {
    let looked = performance.now() + Math.random() * LOOK_MS
    while (performance.now() < until) {
      let claim = null
      claims.push(await timed(async () => (claim = await each.book.claims.claim(null)))) // prettier-ignore
      if (claim === null) return
      closes.push(await timed(() => close(each, claim)))
      each.book.claims.drop(claim)
      if (performance.now() - looked < LOOK_MS) continue
      looked = performance.now()
      looks.push(await timed(() => reclaimExpired(each.database, each.book)))
    }
  }
  await Promise.all(all.map(one))
  return { claims, closes, looks }
}

/** @param {Awaited<ReturnType<typeof host>>[]} all @param {number} until */
async function floor(all, until) {
  let updates = 0
  const one = async ({ database }, no) => {
    // From the end, where no chunk has been claimed yet.
    for (let id = chunks - no; performance.now() < until; id -= all.length) {
      for (const claim of ['claim', 'close']) {
        await database.batch([{ sql: 'UPDATE migration_checkpoints SET claim = ? WHERE id = ?', parameters: [claim, id] }]) // prettier-ignore
        updates++
      }
    }
  }
  await Promise.all(all.map(one))
  return updates / 2
}

const first = await host(0)
const plan = { source: 's', sourceTable: 't', hash: 'h', plan: '{}', wishes: '{}', chunkRows: 1000, planned: true, madeHere: true } // prettier-ignore
await new RunLedger(first.database, first.owner).savePlan(KEY, plan, false)
await new Planning(first.database, KEY, first.owner).take()
const written = await timed(async () => {
  for (const sql of pendingChunks(KEY.name, 1, chunks, 'TEXT')) await first.database.batch([{ sql, parameters: [] }])
})
note('chunks written down by the server alone', `${inSeconds(written)} (a copy writes them down in batches of 1,000)`)
const size = async () => {
  const [row = []] = await first.database.all("SELECT pg_table_size('migration_checkpoints'), pg_indexes_size('migration_checkpoints')") // prettier-ignore
  return `${(Number(row[0]) / 1e9).toFixed(2)} GB, its indexes ${(Number(row[1]) / 1e9).toFixed(2)} GB`
}
note('size of the table of chunks before', await size())

let closed = 0
for (const count of counts.map(Number)) {
  const all = await Promise.all(Array.from({ length: count }, (_, i) => host(i + 1)))
  const beforeFloor = performance.now()
  const floorChunks = await floor(all, beforeFloor + seconds * 500)
  const floorRate = floorChunks / ((performance.now() - beforeFloor) / 1000)
  const begin = performance.now()
  const { claims, closes, looks } = await drain(all, begin + seconds * 1000)
  const rate = closes.length / ((performance.now() - begin) / 1000)
  closed += closes.length
  tell({ hosts: count, rate, floor: floorRate, claim: spread(claims), close: spread(closes), look: spread(looks) })
  process.stderr.write(`${count} hosts: ${Math.round(rate)} chunks/s, floor ${Math.round(floorRate)}\n`)
  if (count === Math.max(...counts.map(Number))) await silence(all)
  const ends = await Promise.all(all.map(({ finish }) => finish()))
  note(
    `the end of a run of ${count}`,
    `${spread(ends).median.toFixed(0)} ms, at most ${spread(ends).most.toFixed(0)} ms`,
  )
  await Promise.all(all.map(({ leave }) => leave()))
}

/**
 * Some hosts hold a chunk and fall silent; the others check their leases.
 * @param {Awaited<ReturnType<typeof host>>[]} all
 */
async function silence(all) {
  const [silent, others] = [all.slice(0, SILENT), all.slice(SILENT)]
  const held = await Promise.all(silent.map(({ book }) => book.claims.claim(null)))
  for (const { beat } of silent) clearInterval(beat)
  const ids = new Set(held.map((claim) => claim.id))
  const begin = performance.now()
  let freed = 0
  const look = async (each) => {
    while (freed < ids.size) {
      await sleep(LOOK_MS * Math.random())
      freed += (await reclaimExpired(each.database, each.book)).filter(({ chunk }) => ids.has(chunk.id)).length
    }
  }
  // Twenty hosts check, and the first one releases each chunk; the others would find none.
  await Promise.race(others.slice(0, SILENT).map(look))
  note(
    `${SILENT} hosts silent: all they held is free after`,
    `${inSeconds(performance.now() - begin)} (a lease is 30 s)`,
  )
}

note('chunks that were closed in all', closed.toLocaleString('en'))
note('size of the table of chunks behind', await size())
const { book } = first
note('whether anything is left', inSeconds(await timed(() => book.claims.remaining(null))))
note('sums of all chunks (a plan, the end of a table)', inSeconds(await timed(() => book.totals())))
note('rows read by a run', inSeconds(await timed(() => book.readRows(first.owner.runId))))
const fresh = await host(999)
let claim = null
note('the first claim of a run that has just begun', `${(await timed(async () => (claim = await fresh.book.claims.claim(null)))).toFixed(1)} ms`) // prettier-ignore
await close(fresh, claim)
tell({ run: String(fresh.owner.runId) })
await fresh.finish()
await fresh.leave()
await first.finish()
await first.leave()
