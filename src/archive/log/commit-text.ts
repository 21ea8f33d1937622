/** Archive commits as text: one action per line. 64-bit integers and statistics never become JavaScript numbers. */
import { createHash, randomUUID } from 'node:crypto'
import type { InspectedFile, FileStats } from '../../model/archive/archived-file.ts'
import type { AddAction, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { logUri } from './data-path.ts'

export type Txn = { readonly appId: string; readonly version: bigint }

export type ArchiveCommitFacts = {
  readonly operation: 'WRITE' | 'DELETE' | 'ADOPT' | 'ERASE' | 'SET TBLPROPERTIES'
  readonly parameters: Readonly<Record<string, string>>
  readonly metrics: Readonly<Record<string, bigint | number>>
  readonly engine: string
  /** ms since the epoch. */
  readonly now: number
  /** The version that the commit was based on; null for the first commit. */
  readonly readVersion: number | null
  readonly isBlindAppend: boolean
  /** Further members of `commitInfo`; they do not replace the standard ones. */
  readonly info: Readonly<Record<string, string>>
}

/** The `commitInfo` line. Its txnId differs in every commit, so a writer can recognise its own commit. */
export function commitInfoLine(facts: ArchiveCommitFacts): string {
  const { operation, parameters, metrics, engine, now, readVersion, isBlindAppend, info } = facts
  const own = {
    timestamp: now,
    operation,
    operationParameters: parameters,
    ...(readVersion === null ? {} : { readVersion }),
    isolationLevel: 'Serializable',
    isBlindAppend,
    operationMetrics: Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, String(value)])),
    engineInfo: engine,
    txnId: randomUUID(),
  }
  return line('commitInfo', { ...own, ...info, ...own })
}

export function protocolLine(protocol: ProtocolAction): string {
  return line('protocol', protocol)
}

export function metadataLine(metadata: MetadataAction): string {
  return line('metaData', metadata)
}

export function txnLine({ appId, version }: Txn, now: number): string {
  return `{"txn":{"appId":${JSON.stringify(appId)},"version":${version},"lastUpdated":${now}}}`
}

/** @param file the added file; its `name` is the path on disk, relative to the root */
export function addLine(
  { name, bytes, stats }: InspectedFile,
  values: Readonly<Record<string, string>>,
  tags: Readonly<Record<string, string>>,
  now: number,
): string {
  const path = JSON.stringify(logUri(name))
  const head = `"path":${path},"partitionValues":${JSON.stringify(values)},"size":${bytes},"modificationTime":${now}`
  const tail = `"dataChange":true,"stats":${JSON.stringify(statsText(stats))},"tags":${JSON.stringify(tags)}`
  return `{"add":{${head},${tail}}}`
}

/** Action that removes a file; its path is spelled as in the `add` action of the log. */
export function removeLine({ path, partitionValues, size, tags }: AddAction, now: number): string {
  return line('remove', {
    path,
    deletionTimestamp: now,
    dataChange: true,
    extendedFileMetadata: true,
    partitionValues: partitionValues ?? {},
    size,
    ...(tags == null ? {} : { tags }),
  })
}

/** Statistics in the form of the log (PROTOCOL.md, "Per-file Statistics"). */
export function statsText({ numRecords, min, max, nullCount }: FileStats): string {
  const values = (of: Readonly<Record<string, string | bigint>>): string =>
    `{${Object.entries(of)
      .map(([name, json]) => `${JSON.stringify(name)}:${json}`)
      .join(',')}}`
  return `{"numRecords":${numRecords},"minValues":${values(min)},"maxValues":${values(max)},"nullCount":${values(nullCount)}}`
}

function line(kind: string, action: object): string {
  return JSON.stringify({ [kind]: action })
}

export function commitBytes(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((text) => `${text}\n`).join(''))
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
