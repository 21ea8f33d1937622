/**
 * Damaged logs: files of real tables are flipped, cut, emptied, repeated, swapped and deleted. Reader, importer,
 * discover and validator may refuse damaged files with a code that names the source; they must not crash, hang, leave
 * files behind, or return a wrong answer.
 *
 * SLUICE_FUZZ_RUNS multiplies the mutations (default a quarter, all of them with SLUICE_TEST_ALL), SLUICE_FUZZ_SEED
 * chooses others. A failure names table, seed and mutation; each mutation has its own seed, so
 * `SLUICE_FUZZ_ONLY=<index>` runs it alone.
 *
 * Reader and importer may differ in some cases. The reader reads the newest checkpoint and the commits above it; the
 * importer reads all commits down to version 0, or else the oldest checkpoint that they reach. Damage to files that
 * only one of them reads may therefore cause
 * - an error of the importer about a commit (or a protocol, metadata or checksum file) from before the reader's
 *   checkpoint,
 * - an unsupported protocol for the reader, from checkpoint values that nothing can verify,
 * - two different answers, if the log now contradicts itself. The validator uses one checkpoint as a second source,
 *   and reports a contradiction with that one.
 *
 * Any other input that one of them refuses and the other accepts is a bug.
 */
import { describe, expect, test } from 'vitest'
import type { DeletionVectorDescriptor } from '../../src/delta/actions.ts'
import { readDeletionVector } from '../support/deletion-vectors.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import type { SluiceError } from '../../src/shared/errors.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { ALL } from '../support/backend.ts'
import { drawFrom, seedOf, shown, type Change } from '../support/fuzz-mutations.ts'
import {
  differenceOf,
  Lab,
  leftovers,
  withoutStyle,
  type ImportView,
  type ReaderView,
  type Seen,
} from '../support/fuzz-lab.ts'
import type { Picture } from '../support/fuzz-twin.ts'
import { folderOf, HAVE_TABLES, NEVER, parquet } from '../tables/shared-tables.ts'

const RUNS = Number(process.env['SLUICE_FUZZ_RUNS'] ?? (ALL ? 1 : 0.25))
const SEED = process.env['SLUICE_FUZZ_SEED'] ?? '1'
const ONLY = process.env['SLUICE_FUZZ_ONLY']

const COMMIT = /_delta_log\/\d{20}\.json$/
const CHECKPOINT = /_delta_log\/.*checkpoint\..*(parquet|json)$/
const HINT = /_last_checkpoint$|\.crc$/
const VECTOR = /\.bin$/

/**
 * From statistics that are invalid JSON, the importer reads a numRecords at the start; the validator reads none and
 * reports this.
 */
const BROKEN_STATS = /^ {2}files num_records: none \| \d+$/

type Family = {
  readonly name: string
  readonly tables: readonly string[]
  readonly targets: RegExp
  /** Mutations per table, before SLUICE_FUZZ_RUNS. */
  readonly mutations: number
  /** Most files that a mutation damages. */
  readonly files: number
}

const FAMILIES: readonly Family[] = [
  {
    name: 'commits of logs without checkpoint',
    tables: [
      'delta-golden/snapshot-data2-deleted',
      'delta-kernel-java/basic-dv-no-checkpoint',
      'delta-rs/simple_table_with_cdc',
      'kernel-rs/app-txn-with-last-updated',
      'delta-spark/table-with-dv-large',
      'trino/liquid_clustering',
    ],
    targets: COMMIT,
    mutations: 22,
    files: 2,
  },
  {
    name: 'commits around checkpoints',
    tables: [
      'delta-rs/simple_table_with_checkpoint',
      'delta-golden/dv-partitioned-with-checkpoint',
      'kernel-rs-packed/v2-checkpoints-json-with-sidecars',
    ],
    targets: COMMIT,
    mutations: 10,
    files: 1,
  },
  {
    name: 'classic checkpoints',
    tables: [
      'delta-rs/simple_table_with_checkpoint',
      'delta-golden/dv-partitioned-with-checkpoint',
      'delta-rs/checkpoint-cdf-table',
      'delta-rs/checkpoint_with_partitions',
    ],
    targets: CHECKPOINT,
    mutations: 10,
    files: 1,
  },
  {
    name: 'multi-part checkpoints',
    tables: ['delta-golden/multi-part-checkpoint', 'kernel-rs/v1-multi-part-struct-stats-only'],
    targets: CHECKPOINT,
    mutations: 10,
    files: 2,
  },
  {
    name: 'V2 checkpoints and sidecars',
    tables: [
      'kernel-rs-packed/v2-checkpoints-json-with-sidecars',
      'kernel-rs-packed/v2-checkpoints-json-with-last-checkpoint',
      'kernel-rs-packed/v2-checkpoints-parquet-without-sidecars',
      'kernel-rs/v2-parquet-sidecars-struct-stats-only',
    ],
    targets: CHECKPOINT,
    mutations: 7,
    files: 2,
  },
  {
    name: 'hints and checksums',
    tables: ['kernel-rs/parsed-stats', 'kernel-rs-packed/v2-checkpoints-json-with-sidecars'],
    targets: HINT,
    mutations: 4,
    files: 2,
  },
  {
    name: 'anything at once',
    tables: ['kernel-rs-packed/v2-classic-checkpoint-parquet', 'kernel-rs/external-table-different-nullability'],
    targets: /_delta_log\//,
    mutations: 10,
    files: 3,
  },
]

/** Results for the undamaged table. */
type Sound = {
  readonly picture: Picture
  readonly dump: string
  readonly kinds: ReadonlyMap<string, ReadonlyMap<string, number> | null>
}

async function soundOf(lab: Lab): Promise<Sound> {
  const kinds = new Map<string, ReadonlyMap<string, number> | null>()
  for (const file of lab.files.named(/_delta_log\/.*parquet$/)) kinds.set(file, await lab.kinds(file))
  const catalog = lab.emptyCatalog()
  const reader = await lab.reader('sound reader')
  const importer = await lab.importer(catalog, 10_000)
  if (reader.value === null || importer.value === null) throw new Error(lab.problems.join('\n'))
  const dump = await lab.dump(catalog)
  lab.forget(catalog)
  return { picture: reader.value.picture, dump, kinds }
}

/** Whether an error is about damage to files that the reader does not read. */
function isAboutHistory(error: SluiceError, { segment }: ReaderView): boolean {
  if (segment.checkpoint === null) return error.message.includes('add up to more than 2^53')
  if (error.code !== 'BAD_ACTION') {
    return ['MISSING_PROTOCOL', 'MISSING_METADATA', 'PROTOCOL_VERSION', 'TABLE_FEATURE'].includes(error.code)
  }
  return !segment.commits.some(({ name }) => error.where?.includes(name)) || error.message.includes('2^53')
}

/** Compares reader and importer; true if the log contradicts itself. */
function compare(lab: Lab, reader: Seen<ReaderView>, importer: Seen<ImportView>): boolean {
  if (reader.value !== null && importer.value !== null) {
    const [ours, theirs] = [withoutStyle(reader.value.picture), withoutStyle(importer.value.picture)]
    const difference = differenceOf(ours, theirs)
    if (difference === null) return false
    if (reader.value.segment.checkpoint === null) lab.problems.push(`reader and importer: ${difference}`)
    return true
  }
  if (reader.value !== null && importer.error !== null && !isAboutHistory(importer.error, reader.value)) {
    lab.problems.push(`the reader reads, the importer says ${importer.error.code} ${importer.error.message}`)
  }
  if (importer.value !== null && reader.error !== null && reader.error.kind !== 'unsupported') {
    lab.problems.push(`the importer imports, the reader says ${reader.error.code} ${reader.error.message}`)
  }
  return false
}

/**
 * All rows of a damaged Parquet file are read, or the file is refused. One exception cannot be detected: a damaged
 * column name is an unknown column, which readers must ignore; only the column with the files is required.
 */
async function expectAllRows(lab: Lab, changes: readonly Change[], sound: Sound): Promise<void> {
  for (const { file, bytes, damage } of changes) {
    const before = sound.kinds.get(file)
    if (!before || bytes === null || damage === 'swap' || damage === 'overwrite with another') continue
    const after = await lab.kinds(file)
    if (after === null) continue
    for (const kind of new Set([...before.keys(), ...after.keys()])) {
      const [had, has] = [before.get(kind) ?? 0, after.get(kind) ?? 0]
      if (had !== has && (kind === 'add' || has !== 0)) {
        lab.problems.push(`rows of ${file}: ${had} of ${kind} became ${has}`)
      }
    }
  }
}

/**
 * Discover reads few columns of a checkpoint: it may return counts although the other columns are unreadable, but they
 * must be correct.
 */
async function compareProbe(
  lab: Lab,
  reader: Seen<ReaderView>,
  importer: Seen<ImportView>,
  sound: Sound,
): Promise<void> {
  const { value: facts } = await lab.probe()
  if (facts === null || facts.refusal !== null || facts.countedBy === 'crc') return
  const answers = [reader, importer].flatMap(({ value }) => (value === null ? [] : [value.picture.files.length]))
  if (answers.length === 0 && facts.countedBy === 'checkpoint') answers.push(sound.picture.files.length)
  if (facts.files === null || !answers.includes(facts.files)) {
    lab.problems.push(`discover counts ${facts.files} files by ${facts.countedBy}, the others ${answers.join(' and ')}`)
  }
}

type Tally = {
  mutations: number
  read: number
  imported: number
  contradictions: number
  validated: number
  unheard: number
}

async function mutate(lab: Lab, changes: readonly Change[], sound: Sound, index: number, tally: Tally): Promise<void> {
  const catalog = lab.emptyCatalog()
  const batchSize = index % 2 === 0 ? 10_000 : 2
  let imported = false
  lab.files.apply(changes)
  try {
    await expectAllRows(lab, changes, sound)
    const reader = await lab.reader('reader')
    const older = reader.value === null ? 0 : Math.floor(reader.value.segment.version / 2)
    await lab.reader(`reader at ${older}`, older)
    await lab.stories()
    const importer = await lab.importer(catalog, batchSize)
    imported = importer.value !== null
    const contradicts = compare(lab, reader, importer)
    await compareProbe(lab, reader, importer, sound)
    if (changes.every(({ file }) => HINT.test(file))) {
      const difference = reader.value === null ? 'none' : differenceOf(reader.value.picture, sound.picture)
      if (difference !== null || !imported) lab.problems.push(`a damaged hint changed the answer: ${difference}`)
    }
    if (imported && (contradicts || index % 7 === 2)) {
      const { value: unequal } = await lab.validate(catalog)
      tally.validated++
      const wrong = unequal?.filter((text) => text.startsWith('_delta_log:')) ?? []
      if (wrong.length > 0 && !unequal?.some((text) => BROKEN_STATS.test(text)))
        lab.problems.push(`the validator finds ${unequal?.join('; ')}`)
      if (contradicts && unequal?.length === 0) tally.unheard++
    }
    tally.mutations++
    if (reader.value !== null) tally.read++
    if (imported) tally.imported++
    if (contradicts) tally.contradictions++
  } finally {
    lab.files.restore(changes)
  }
  if (!imported) {
    await lab.importer(catalog, batchSize)
    if (lab.problems.length === 0 && (await lab.dump(catalog)) !== sound.dump) {
      lab.problems.push('after a failed import and a repair the catalog is not that of a clean import')
    }
  }
  lab.forget(catalog)
}

const chosen = (mutations: number): readonly number[] =>
  ONLY === undefined ? Array.from({ length: Math.ceil(mutations * RUNS) }, (_, i) => i) : [Number(ONLY)]

describe.skipIf(!HAVE_TABLES)('reader and importer refuse a damaged log or read it correctly (../shared)', () => {
  describe.each(FAMILIES)('$name', ({ tables, targets, mutations, files, name }) => {
    test.each(tables)('%s', { timeout: 60_000 * Math.max(1, RUNS) }, async (table) => {
      using lab = await Lab.open(folderOf(table))
      const sound = await soundOf(lab)
      const tally: Tally = { mutations: 0, read: 0, imported: 0, contradictions: 0, validated: 0, unheard: 0 }
      const before = leftovers()
      const failures: string[] = []
      for (const index of chosen(mutations)) {
        const draw = drawFrom(seedOf(`${SEED}/${name}/${table}/${index}`))
        const changes = lab.files.mutation(lab.files.named(targets), 1 + draw(files), draw)
        await mutate(lab, changes, sound, index, tally)
        for (const problem of lab.problems.splice(0)) failures.push(`#${index} ${shown(changes)}: ${problem}`)
      }
      expect(failures, `${table}, seed ${SEED}`).toEqual([])
      expect(leftovers()).toEqual(before)
      if (process.env['SLUICE_FUZZ_TALLY']) process.stderr.write(`${name} ${table} ${JSON.stringify(tally)}\n`)
    })
  })
})

const WITH_VECTORS = ['delta-rs/table-with-dv-small', 'delta-golden/dv-partitioned-with-checkpoint']

describe.skipIf(!HAVE_TABLES)('damaged deletion vectors are refused or read correctly (../shared)', () => {
  test.each(WITH_VECTORS)('%s', { timeout: 60_000 * Math.max(1, RUNS) }, async (table) => {
    using lab = await Lab.open(folderOf(table))
    const log = openLocalLog(lab.folder)
    const delta = await DeltaTable.open(log, parquet, NEVER)
    const snapshot = await delta.snapshot()
    const vectors: DeletionVectorDescriptor[] = []
    for await (const block of snapshot.files({ signal: NEVER })) {
      for (const { add } of block) if (add.deletionVector) vectors.push(add.deletionVector)
    }
    const rowsOf = async (): Promise<readonly (string | null)[]> => {
      const found: (string | null)[] = []
      for (const vector of vectors) {
        const seen = await lab.attempt('vector', () => readDeletionVector(log, vector, NEVER))
        found.push(seen.value === null ? null : [...seen.value.rows()].join())
      }
      return found
    }
    const sound = await rowsOf()
    expect(sound.filter((rows) => rows !== null).length).toBeGreaterThan(0)
    const failures: string[] = []
    for (const index of chosen(150)) {
      const draw = drawFrom(seedOf(`${SEED}/vectors/${table}/${index}`))
      const changes = lab.files.mutation(lab.files.named(VECTOR), 1, draw)
      lab.files.apply(changes)
      const damaged = await rowsOf()
      lab.files.restore(changes)
      // Refused or unchanged: the CRC-32 detects any other result.
      if (damaged.some((rows, i) => rows !== null && rows !== sound[i])) lab.problems.push('other rows than before')
      for (const problem of lab.problems.splice(0)) failures.push(`#${index} ${shown(changes)}: ${problem}`)
    }
    expect(failures, `${table}, seed ${SEED}`).toEqual([])
  })
})
