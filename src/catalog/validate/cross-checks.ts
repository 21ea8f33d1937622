/** Cross-checks of the catalog against checksum files and `_last_checkpoint`. */
import { crcName, LAST_CHECKPOINT, logPathOf } from '../../delta/log-path.ts'
import { checkpointsForHint, MAX_HINT_BYTES } from '../../delta/last-checkpoint.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { compareState, type ParsedKind } from './state-checks.ts'
import { catalogActiveAt } from './replay-sql.ts'
import type { Report } from './report.ts'
import type { LogFolder } from './window.ts'

/** Checksum files may list all files of a table (`allFiles`), hence the high limit. */
const MAX_CRC_BYTES = 256 << 20

type CrossCheckContext = {
  readonly log: LogStore
  readonly scratch: SqlDatabase
  readonly report: Report
  readonly signal: AbortSignal
}

/** The text of a file of the log, or its size in bytes if the size is above `bound`. */
async function textOf({ log, signal }: CrossCheckContext, name: string, bound: number): Promise<string | number> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of log.read(logPathOf(name), { end: bound + 1, signal })) {
    chunks.push(chunk)
    bytes += chunk.length
  }
  if (bytes > bound) return (await log.head(logPathOf(name), signal))?.size ?? bytes
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Loads a file into the relation `witness` if it is a JSON object. A broken file is a note, not a difference of the
 * catalog.
 * @returns true if it was loaded; false if it is no JSON object; the size in bytes of a file above `bound`, which was
 * not read
 */
async function loadWitness(at: CrossCheckContext, name: string, bound: number): Promise<boolean | number> {
  const text = await textOf(at, name, bound)
  if (typeof text === 'number') return text
  const [row] = await at.scratch.all(`SELECT coalesce(TRY(json_type(?::VARCHAR)) = 'OBJECT', false)`, [text])
  if (Number(row?.[0]) !== 1) {
    at.report.notes.push(`${name} is not a JSON object and was not compared`)
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

/** Compares a checksum file (PROTOCOL.md, "Version Checksum File"). Absent and null fields are not compared. */
export async function checkCrc(at: CrossCheckContext, version: number): Promise<void> {
  const name = crcName(version)
  const heard = await loadWitness(at, name, MAX_CRC_BYTES)
  if (typeof heard === 'number')
    at.report.notes.push(`${name} has ${heard} bytes and was not read: the limit is ${MAX_CRC_BYTES}`)
  if (heard !== true) return
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

/**
 * Compares the number of files in the hint; the other fields of the hint describe no state of the table. A hint to a
 * missing checkpoint is a note: the table is the same without it, but readers that follow the hint cannot open the
 * table.
 */
export async function checkLastCheckpoint(
  at: CrossCheckContext,
  folder: LogFolder,
  from: number,
  to: number,
): Promise<void> {
  const heard = await loadWitness(at, LAST_CHECKPOINT, MAX_HINT_BYTES)
  if (typeof heard === 'number') {
    await at.report.value(to, 'last checkpoint: size', LAST_CHECKPOINT, 'bytes', heard, `at most ${MAX_HINT_BYTES}`, [
      'file',
      'readers',
    ])
    return
  }
  if (!heard) return
  const [row] = await at.scratch.all(
    `SELECT TRY_CAST(text->>'$.version' AS BIGINT), TRY_CAST(text->>'$.numOfAddFiles' AS BIGINT), TRY_CAST(text->>'$.parts' AS BIGINT) FROM witness`,
  )
  const [version, files, parts] = row ?? []
  const { checkpoints } =
    typeof version === 'number' ? await checkpointsForHint(at.log, version, folder, at.signal) : folder
  const named = checkpoints.filter((one) => one.version === version)
  const wanted = parts ?? 1
  if (!named.some((one) => one.files.length === wanted)) {
    const which = named.length > 0 ? `in ${String(wanted)} parts, which are` : 'which is'
    at.report.notes.push(
      `${LAST_CHECKPOINT} names checkpoint ${String(version ?? 'none')}, ${which} missing: readers that follow it cannot open the table, and fsck reports that as a finding`,
    )
  }
  if (typeof version !== 'number' || typeof files !== 'number' || version < from || version > to) return
  const [ours] = await at.scratch.all(`SELECT count(*) FROM (${catalogActiveAt(version)})`)
  await at.report.value(version, 'last checkpoint: number of files', LAST_CHECKPOINT, 'numOfAddFiles', files, ours?.[0])
}
