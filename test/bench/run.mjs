/**
 * `npm run bench [-- FILTER] [--quick] [--runs N]`: medians of whole processes, with the floor of the same work. It
 * asserts nothing about time: machines differ, and a number without its floor is not meaningful. Lakes are kept below
 * the temporary folder.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import { lake, lakeFlags, realTable, ROOT, scratchFolder } from './lakes.mjs'
import { measure, median } from './measure.mjs'
import { mysql, postgresql } from './servers.mjs'
import { megabytes, textTable, time } from './table.mjs'

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    rows: { type: 'string', default: '2000000' },
    chunks: { type: 'string' },
    files: { type: 'string' },
    seconds: { type: 'string' },
  },
  allowPositionals: true,
})
const runs = Math.max(1, Number(values.runs) || 3)
const flags = lakeFlags(values.quick)
const sluice = path.join(ROOT, 'dist/cli/bin.js')
if (!fs.existsSync(sluice)) {
  process.stderr.write('dist/cli/bin.js is missing: npm run build\n')
  process.exit(2)
}

if (positionals[0] === 'copy') {
  const { copies } = await import('./copies.mjs')
  await copies({ runs, rows: Number(values.rows), only: positionals[1] ?? '' })
  process.exit()
}

if (positionals[0] === 'keys') {
  const { keys } = await import('./keys.mjs')
  await keys({ rows: Number(values.rows) })
  process.exit()
}

if (positionals[0] === 'archive') {
  const { archives } = await import('./archive.mjs')
  await archives({ runs, rows: process.argv.includes('--rows') ? Number(values.rows) : 1_000_000 })
  process.exit()
}

if (positionals[0] === 'ledger') {
  const { ledgers } = await import('./ledger.mjs')
  await ledgers({ only: positionals[1] ?? '', isQuick: values.quick })
  process.exit()
}

if (positionals[0] === 'hosts') {
  const { hosts } = await import('./hosts.mjs')
  await hosts({ chunks: Number(values.chunks ?? (values.quick ? 100_000 : 10_000_000)), seconds: Number(values.seconds ?? (values.quick ? 5 : 60)) }) // prettier-ignore
  process.exit()
}

if (positionals[0] === 'workers') {
  const { workers } = await import('./workers.mjs')
  await workers({ rows: process.argv.includes('--rows') ? Number(values.rows) : values.quick ? 60_000 : 600_000 })
  process.exit()
}

if (positionals[0] === 'large-table') {
  const { largeTable } = await import('./large-table.mjs')
  await largeTable({ files: Number(values.files ?? (values.quick ? 200_000 : 4_000_000)) })
  process.exit()
}

if (positionals[0] === 'apply') {
  const { applies } = await import('./apply.mjs')
  await applies({ runs, isQuick: values.quick })
  process.exit()
}

if (positionals[0] === 'apply-files') {
  const { appliesToFiles } = await import('./apply-files.mjs')
  await appliesToFiles({ runs, isQuick: values.quick })
  process.exit()
}

if (positionals[0] === 'follow') {
  const { follows } = await import('./follow.mjs')
  await follows({ runs, only: positionals[1] ?? '', isQuick: values.quick })
  process.exit()
}

if (positionals[0] === 'memory') {
  const { memories } = await import('./memory.mjs')
  await memories({ minutes: Number(positionals[1] ?? 60) })
  process.exit()
}

if (positionals[0] === 'cassandra-write') {
  const { cassandraWrite } = await import('./cassandra-write.mjs')
  await cassandraWrite({ runs, rows: process.argv.includes('--rows') ? Number(values.rows) : 200_000 })
  process.exit()
}

if (positionals[0] === 'cassandra-read') {
  const { cassandraRead } = await import('./cassandra-read.mjs')
  await cassandraRead({ runs, rows: Math.min(Number(values.rows), 200_000) })
  process.exit()
}

/** @param {string} name */
const wanted = (name) => positionals.length === 0 || positionals.some((word) => name.includes(word))

/** @type {string[][]} */
const rows = []
/**
 * @param {string} name @param {import('./measure.mjs').Measured} ours @param {import('./measure.mjs').Measured} [floor]
 */
function note(name, ours, floor) {
  const least = Math.min(...ours.ms)
  const most = Math.max(...ours.ms)
  const ratio = floor === undefined ? '' : `${(median(ours.ms) / median(floor.ms)).toFixed(2)}x`
  const spread = `${time(least)} .. ${time(most)}`
  rows.push([
    name,
    time(median(ours.ms)),
    spread,
    floor === undefined ? '' : time(median(floor.ms)),
    ratio,
    megabytes(ours.peak),
    megabytes(floor?.peak ?? 0),
  ])
  process.stderr.write(`${name}: ${time(median(ours.ms))}\n`)
}

/** A failure does not prevent the following measurements. @param {string} name @param {() => void} body */
function section(name, body) {
  if (!wanted(name)) return
  try {
    body()
  } catch (error) {
    process.stderr.write(`${name}: ${error.message}\n`)
    rows.push([name, 'failed', '', '', '', '', ''])
    process.exitCode = 1
  }
}

/** @param {string} file of a SQLite database */
function removeDatabase(file) {
  for (const suffix of ['', '-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true })
}

const scratch = scratchFolder('run')
const catalog = path.join(scratch, 'catalog.db')
const floorFile = path.join(scratch, 'floor.db')

/** @param {string} table */
const importArgs = (table) => [sluice, 'import', table, '--database-url', `sqlite:///${catalog}`, '--ci']

/** @param {string} name @param {string} table */
function measureImport(name, table) {
  const floor = measure([path.join(import.meta.dirname, 'floor-import.mjs'), table, floorFile], runs, {
    before: () => removeDatabase(floorFile),
  })
  removeDatabase(floorFile)
  const ours = measure(importArgs(table), runs, { before: () => removeDatabase(catalog) })
  // A time is comparable only if the work was the same.
  const database = new Database(catalog, { readonly: true })
  const lives = database.prepare('SELECT count(*) FROM delta_files').pluck().get()
  database.close()
  if (lives !== Number(floor.stdout))
    throw new Error(`${String(lives)} files in the catalog, ${floor.stdout.trim()} adds in the log`)
  note(name, ours, floor)
}

/** The queries on a filled catalog. @param {string} name @param {string} url */
function ask(name, url) {
  const asked = measure([path.join(import.meta.dirname, 'queries.mjs'), url, String(runs * 5)], 1)
  for (const { name: question, ms, rows: count } of JSON.parse(asked.stdout)) {
    note(`${name}: ${question} (${count.toLocaleString('en')})`, { ms, peak: asked.peak, stdout: '' })
  }
}

/** Every run has its own catalog, in a database that is not empty. */
function measureImportInto(name, backend, url, shape) {
  const table = shape === 'real' ? realTable() : lake(flags[shape])
  if (table === undefined) throw new Error('set SLUICE_SHARED: there is no real table here')
  const floor = measure([path.join(import.meta.dirname, 'floor-database.mjs'), table, url], runs)
  let run = 0
  const args = [sluice, 'import', table, '--ci', '--json', '--database-url', '']
  const ours = measure(args, runs, { before: () => void (args[args.length - 1] = freshCatalog(backend, url, run++)) })
  const { totals } = JSON.parse(ours.stdout.trim().split('\n').at(-1) ?? '{}')
  if (totals?.files !== floor.stdout.trim()) throw new Error(`${totals?.files} files imported, ${floor.stdout.trim()} adds in the log`) // prettier-ignore
  note(name, ours, floor)
}

function freshCatalog(backend, url, run) {
  const name = `c${process.pid}_${Date.now()}_${run}`
  if (backend === 'postgresql') return `${url}?schema=${name}`
  if (backend === 'duckdb') return `duckdb:///${path.join(scratch, `${name}.duckdb`)}`
  const made = spawnSync(process.execPath, ['--input-type=module', '-e', `import { createConnection } from 'mysql2/promise'
    const c = await createConnection(${JSON.stringify(url)}); await c.query('CREATE DATABASE ${name}'); await c.end()`], { cwd: ROOT }) // prettier-ignore
  if (made.status !== 0) throw new Error(String(made.stderr))
  const own = new URL(url)
  own.pathname = `/${name}`
  return own.href
}

const SERVER_SHAPES = ['real', 'many']
const backends = {
  postgresql,
  mysql,
  duckdb: async () => ({ url: `duckdb:///${path.join(scratch, 'floor.duckdb')}`, stop: async () => undefined }),
}

try {
  section('start-up: --help', () => {
    const floor = measure(['-e', '0'], runs * 5, { memory: false })
    note('start-up: --help', measure([sluice, '--help'], runs * 5, { memory: false }), floor)
  })
  const real = realTable()
  if (real === undefined) process.stderr.write('no real table of 300,000 files here: set SLUICE_SHARED\n')
  else section('import: real table, 300k files', () => measureImport('import: real table, 300k files', real))
  for (const shape of ['checkpoint', 'single-file-commits', 'churn', 'many']) {
    section(`import: ${shape}`, () => measureImport(`import: ${shape}`, lake(flags[shape])))
  }
  for (const [backend, server] of Object.entries(backends)) {
    const names = [...SERVER_SHAPES.map((shape) => `import into ${backend}: ${shape}`), `query on ${backend}`]
    if (!names.some(wanted)) continue
    const at = await server()
    if (at === null) {
      process.stderr.write(`no ${backend} server on this machine\n`)
      continue
    }
    try {
      for (const shape of SERVER_SHAPES) {
        const name = `import into ${backend}: ${shape}`
        section(name, () => measureImportInto(name, backend, at.url, shape))
      }
      section(`query on ${backend}`, () => {
        const filled = freshCatalog(backend, at.url, 'q')
        measure([sluice, 'import', lake(flags['many']), '--ci', '--database-url', filled], 1, { memory: false })
        ask(`query on ${backend}`, filled)
      })
    } finally {
      await at.stop()
    }
  }
  section('query', () => {
    removeDatabase(catalog)
    measure(importArgs(lake(flags['many'])), 1, { memory: false })
    ask('query', `sqlite:///${catalog}`)
  })
  section('discover: many tables', () => {
    const folder = lake(flags['tables'])
    const floor = measure([path.join(import.meta.dirname, 'floor-discover.mjs'), folder], runs)
    note('discover: many tables', measure([sluice, 'discover', folder, '--recursive', '--ci'], runs), floor)
  })
  if (wanted('fsck')) {
    const { fsckTable } = await import('./fsck-table.mjs')
    const files = values.quick ? 2_000 : 20_000
    const folder = await fsckTable(files)
    const floor = (...words) => measure([path.join(import.meta.dirname, 'floor-fsck.mjs'), folder, ...words], runs)
    const ours = (...words) => measure([sluice, 'fsck', folder, '--json', ...words], runs)
    section('fsck', () => {
      const [bare, decoded, checked] = [floor(), floor('decoded'), ours()]
      const { totals } = JSON.parse(checked.stdout.trim().split('\n').at(-1) ?? '{}')
      if (bare.stdout !== decoded.stdout || totals?.footers !== bare.stdout.trim())
        throw new Error(`${totals?.footers} footers, and ${bare.stdout.trim()} files`)
      note(`fsck: ${files.toLocaleString('en')} files, listing and bytes of footers`, checked, bare)
      note('fsck: the same, footers decoded by DuckDB', checked, decoded)
      note('fsck: a sample of 100', ours('--sample', '100'), bare)
    })
  }
} finally {
  fs.rmSync(scratch, { recursive: true, force: true })
}

const size = values.quick ? 'a tenth of the size' : 'full size'
process.stdout.write(
  `\nNode ${process.versions.node}, ${runs} runs, ${size}; medians of whole processes, queries with an open connection\n`,
)
process.stdout.write(`${textTable(['', 'median', 'spread', 'floor', 'ratio', 'peak', 'floor peak'], rows)}\n`)
