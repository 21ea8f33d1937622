/** The lakes for measurements: created once per set of parameters, and kept below the system's temporary folder. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

export const ROOT = path.resolve(import.meta.dirname, '../..')
export const CACHE = path.join(os.tmpdir(), 'sluice-bench')

/** A new folder in the cache folder, for files of a measurement. @param {string} name */
export function scratchFolder(name) {
  fs.mkdirSync(CACHE, { recursive: true })
  return fs.mkdtempSync(path.join(CACHE, `${name}-`))
}

/** @param {boolean} quick @returns {Record<string, string[]>} flags of make-lake by name */
export function lakeFlags(quick) {
  const n = (/** @type {number} */ full) => String(quick ? full / 10 : full)
  const commits = (/** @type {number} */ full) => String((quick ? full / 10 : full) + 1)
  return {
    checkpoint: ['--shape', 'one-checkpoint', '--files', n(1_000_000)],
    many: ['--shape', 'many', '--files', n(1_000_000), '--commits', commits(10_000), '--partitions', n(1000)],
    'single-file-commits': ['--shape', 'single-file-commits', '--files', n(100_000), '--commits', n(100_000)],
    churn: ['--shape', 'churn', '--files', n(1_100_000), '--commits', commits(10_000)],
    tables: ['--tables', n(1000), '--files', '20', '--commits', '6'],
  }
}

/** Digest of the generator, because a lake depends on it. */
function generatorDigest() {
  const hash = createHash('sha256')
  const folder = path.join(ROOT, 'scripts/lake')
  for (const name of fs.readdirSync(folder).toSorted()) hash.update(fs.readFileSync(path.join(folder, name)))
  return hash.digest('hex').slice(0, 8)
}

/**
 * The folder of a lake, created if it does not exist. It is created under another name and renamed, so that an
 * interrupted run leaves no incomplete lake.
 * @param {string[]} flags
 */
export function lake(flags) {
  const name = [...flags.map((flag) => flag.replace(/^--/, '')), generatorDigest()].join('_')
  const folder = path.join(CACHE, name)
  if (fs.existsSync(folder)) return folder
  process.stderr.write(`making ${name}\n`)
  const aside = `${folder}.${process.pid}`
  fs.mkdirSync(CACHE, { recursive: true })
  const made = spawnSync(process.execPath, ['scripts/make-lake.mjs', '--out', aside, ...flags], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (made.status !== 0) throw new Error(`make-lake ${flags.join(' ')} failed`)
  fs.renameSync(aside, folder)
  return folder
}

/** The real table of 300,000 files, if it exists. @returns {string | undefined} */
export function realTable() {
  const shared = process.env['SLUICE_SHARED'] ?? path.join(ROOT, '../shared')
  const folder = path.join(shared, 'tables/kernel-rs-packed/300k-add-files-100-col-partitioned')
  return fs.existsSync(folder) ? folder : undefined
}
