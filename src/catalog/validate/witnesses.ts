/** What others wrote about the same versions: checksum files, `_last_checkpoint`, and a checkpoint that was not used to replay. */
import { crcName, LAST_CHECKPOINT, logPathOf } from '../../delta/log-path.ts'
import type { LogStore } from '../../model/log-store.ts'
import type { SqlDatabase } from '../../stores/port.ts'
import { compareState, type ParsedKind } from './state-checks.ts'
import type { Comparison } from './compare.ts'
import { catalogActiveAt } from './replay-sql.ts'
import type { Report } from './report.ts'

type At = {
  readonly log: LogStore
  readonly scratch: SqlDatabase
  readonly report: Report
  readonly signal: AbortSignal
}

async function textOf({ log, signal }: At, name: string): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of log.read(logPathOf(name), { signal })) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** Loads the text where it is JSON; a broken witness is a note, not a difference of the catalog. */
async function hear(at: At, name: string): Promise<boolean> {
  const text = await textOf(at, name)
  const [row] = await at.scratch.all(`SELECT coalesce(TRY(json_type(?::VARCHAR)) = 'OBJECT', false)`, [text])
  if (Number(row?.[0]) !== 1) {
    at.report.notes.push(`${name} is no JSON object and bears no witness`)
    return false
  }
  await at.scratch.write(async (transaction) => {
    await transaction.run('CREATE OR REPLACE TABLE witness (text VARCHAR)')
    await transaction.run('INSERT INTO witness VALUES (?)', [text])
  })
  return true
}

const CRC_STATES: readonly { readonly kind: ParsedKind; readonly field: string; readonly states: string }[] = [
  {
    kind: 'protocol',
    field: 'protocol',
    states: `SELECT json_object('protocol', json_extract(text, '$.protocol')) AS raw FROM witness`,
  },
  {
    kind: 'metaData',
    field: 'metadata',
    states: `SELECT json_object('metaData', json_extract(text, '$.metadata')) AS raw FROM witness`,
  },
  {
    kind: 'txn',
    field: 'setTransactions',
    states: `SELECT json_object('txn', e.value) AS raw FROM witness, json_each(text, '$.setTransactions') e`,
  },
  {
    kind: 'domainMetadata',
    field: 'domainMetadata',
    states: `SELECT json_object('domainMetadata', e.value) AS raw FROM witness, json_each(text, '$.domainMetadata') e
      WHERE coalesce(e.value->>'$.removed', 'false') <> 'true'`,
  },
]

/** PROTOCOL.md, "Version Checksum File". Fields that are absent or null say nothing. */
export async function checkCrc(at: At, version: number): Promise<void> {
  const name = crcName(version)
  if (!(await hear(at, name))) return
  const [row] = await at.scratch.all(
    `SELECT w.text->>'$.numFiles', w.text->>'$.tableSizeBytes', c.files, c.bytes FROM witness w,
       (SELECT count(*) AS files, coalesce(sum(TRY_CAST(size AS BIGINT)), 0) AS bytes FROM (${catalogActiveAt(version)})) c`,
  )
  const [files, bytes, ourFiles, ourBytes] = row ?? []
  if (files !== null) await at.report.value(version, 'checksum: number of files', name, 'numFiles', files, ourFiles)
  if (bytes !== null) await at.report.value(version, 'checksum: bytes', name, 'tableSizeBytes', bytes, ourBytes)
  for (const { kind, field, states } of CRC_STATES) {
    const [given] = await at.scratch.all(`SELECT coalesce(json_type(text, '$.${field}'), 'NULL') FROM witness`)
    if (given?.[0] === 'NULL') continue
    const check = `checksum: ${field}`
    await at.report.compare(version, check, name, [compareState(kind, version, states, check, true)])
  }
}

/** The hint names a checkpoint by version; only its number of files says anything about a state. */
export async function checkLastCheckpoint(at: At, from: number, to: number): Promise<void> {
  if (!(await hear(at, LAST_CHECKPOINT))) return
  const [row] = await at.scratch.all(
    `SELECT TRY_CAST(text->>'$.version' AS BIGINT), TRY_CAST(text->>'$.numOfAddFiles' AS BIGINT) FROM witness`,
  )
  const [version, files] = row ?? []
  if (typeof version !== 'number' || typeof files !== 'number' || version < from || version > to) return
  const [ours] = await at.scratch.all(`SELECT count(*) FROM (${catalogActiveAt(version)})`)
  await at.report.value(version, 'last checkpoint: number of files', LAST_CHECKPOINT, 'numOfAddFiles', files, ours?.[0])
}

/**
 * Checkpoints are not copies of the commits: of 153 real checkpoint adds 146 flip dataChange, 22 drop stats and 4 write them anew. So
 * only what must be the same is compared, and stats by value where both have them.
 */
const witnessComparison = (version: number): Comparison => ({
  check: 'checkpoint: files',
  version: `${version}`,
  path: 'coalesce(l.path, c.path)',
  on: 'l.key = c.key AND l.dv = c.dv',
  log: `SELECT *, 1 AS present FROM log_witness WHERE version = ${version}`,
  catalog: `SELECT *, 1 AS present FROM (${catalogActiveAt(version)})`,
  fields: [
    { name: 'size', log: 'l.size', catalog: 'c.size' },
    { name: 'partition_values', log: 'l.partition_values', catalog: 'c.partition_values', mode: 'values' },
    { name: 'deletion_vector', log: 'l.deletion_vector', catalog: 'c.deletion_vector', mode: 'json' },
    { name: 'stats', log: 'coalesce(l.stats, l.stats_parsed)', catalog: 'c.stats', mode: 'shared' },
  ],
})

/** Compares the catalog with a checkpoint that is loaded already. */
export async function checkWitness(report: Report, version: number, name: string): Promise<void> {
  await report.compare(version, 'checkpoint: files', name, [witnessComparison(version)])
}
