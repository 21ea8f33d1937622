/** Options of a lake: the flags of `npm run make-lake`, and shapes, which are named sets of them. */
import { parseArgs } from 'node:util'

export const USAGE = `npm run make-lake -- --out DIR [flags]

  --files N               files added in all
  --commits N             commits; commit 0 creates the table
  --adds-per-commit N     instead of --files
  --removes-per-commit N  files that each commit takes out again (0)
  --partitions N          1: not partitioned (1)
  --stats-bytes N         length of the statistics of a file; 0: none (560)
  --checkpoint-every N    0: no checkpoints (0)
  --checkpoint KIND       classic, multipart, v2-json, v2-parquet (classic)
  --checkpoint-only-last  one checkpoint, at the last commit
  --clean-log             no commits below the last checkpoint
  --data                  real, tiny Parquet files (at most 5,000)
  --tables N              so many tables, in folders of 100 (1)
  --seed N                the same seed gives the same bytes (1)
  --shape SHAPE           one-commit, one-checkpoint, many, single-file-commits, churn
                          sets the flags above; those given win
`

/**
 * @typedef {{
 *   out: string, files: number, commits: number, removesPerCommit: number, partitions: number, statsBytes: number,
 *   checkpointEvery: number, checkpoint: import('./checkpoint.mjs').CheckpointKind, checkpointOnlyLast: boolean,
 *   cleanLog: boolean, filesInFirstCommit: boolean, data: boolean, tables: number, seed: number,
 * }} LakeOptions
 */

/** @type {Omit<LakeOptions, 'out'>} */
const DEFAULTS = {
  files: 1000,
  commits: 11,
  removesPerCommit: 0,
  partitions: 1,
  statsBytes: 560,
  checkpointEvery: 0,
  checkpoint: 'classic',
  checkpointOnlyLast: false,
  cleanLog: false,
  filesInFirstCommit: false,
  data: false,
  tables: 1,
  seed: 1,
}

/** @type {Record<string, Partial<LakeOptions>>} */
export const SHAPES = {
  'one-commit': { files: 1_000_000, commits: 1, filesInFirstCommit: true },
  'one-checkpoint': { files: 1_000_000, commits: 102, checkpointOnlyLast: true, cleanLog: true },
  many: { files: 1_000_000, commits: 10_001, removesPerCommit: 10, partitions: 1000 },
  'single-file-commits': { files: 100_000, commits: 100_000, filesInFirstCommit: true },
  churn: { files: 1_100_000, commits: 10_001, removesPerCommit: 100, partitions: 100 },
}

export class UsageError extends Error {}

/** @param {string} name @param {string | undefined} text @param {number} least @returns {number | undefined} */
function count(name, text, least) {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least)
    throw new UsageError(`--${name} wants a number of at least ${least}, not "${text}"`)
  return value
}

/** @param {string[]} argv @returns {LakeOptions | 'help'} */
export function lakeOptions(argv) {
  const text = { type: 'string' }
  const flag = { type: 'boolean' }
  let values
  try {
    values = parseArgs({
      args: argv,
      options: {
        out: text,
        files: text,
        commits: text,
        'adds-per-commit': text,
        'removes-per-commit': text,
        partitions: text,
        'stats-bytes': text,
        'checkpoint-every': text,
        checkpoint: text,
        'checkpoint-only-last': flag,
        'clean-log': flag,
        data: flag,
        tables: text,
        seed: text,
        shape: text,
        help: flag,
      },
    }).values
  } catch (error) {
    throw new UsageError(error.message)
  }
  if (values.help) return 'help'
  if (values.out === undefined) throw new UsageError('--out DIR is needed')
  const shape = values.shape === undefined ? {} : SHAPES[values.shape]
  if (shape === undefined) throw new UsageError(`--shape is one of ${Object.keys(SHAPES).join(', ')}`)
  const kind = values.checkpoint
  if (kind !== undefined && !['classic', 'multipart', 'v2-json', 'v2-parquet'].includes(kind)) {
    throw new UsageError('--checkpoint is one of classic, multipart, v2-json, v2-parquet')
  }
  /** @type {Record<string, unknown>} */
  const given = {
    files: count('files', values.files, 0),
    commits: count('commits', values.commits, 1),
    removesPerCommit: count('removes-per-commit', values['removes-per-commit'], 0),
    partitions: count('partitions', values.partitions, 1),
    statsBytes: count('stats-bytes', values['stats-bytes'], 0),
    checkpointEvery: count('checkpoint-every', values['checkpoint-every'], 0),
    checkpoint: kind,
    checkpointOnlyLast: values['checkpoint-only-last'],
    cleanLog: values['clean-log'],
    data: values.data,
    tables: count('tables', values.tables, 1),
    seed: count('seed', values.seed, 0),
  }
  for (const name of Object.keys(given)) if (given[name] === undefined) delete given[name]
  const options = { ...DEFAULTS, ...shape, ...given, out: values.out }
  if (options.commits === 1) options.filesInFirstCommit = true
  const adds = count('adds-per-commit', values['adds-per-commit'], 0)
  if (adds !== undefined) {
    if (values.files !== undefined) throw new UsageError('--files and --adds-per-commit say the same: give one')
    options.files = adds * (options.filesInFirstCommit ? options.commits : options.commits - 1)
  }
  if (options.data && options.files > 5000) throw new UsageError('--data is for lakes of at most 5,000 files')
  if (options.cleanLog && options.checkpointEvery === 0 && !options.checkpointOnlyLast) {
    throw new UsageError('--clean-log leaves nothing to read without a checkpoint')
  }
  return options
}
