/** Commits of an archive as text: one action a line. Whole numbers of 64 bits and statistics never pass through a JavaScript number. */
import { randomUUID } from 'node:crypto'
import type { ExaminedFile, FileStats } from '../../model/archive/archived-file.ts'
import type { AddAction, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { logUri } from './data-path.ts'

export type Txn = { readonly appId: string; readonly version: bigint }

export type CommitFacts = {
  readonly operation: 'WRITE' | 'DELETE' | 'ADOPT' | 'ERASE' | 'SET TBLPROPERTIES'
  readonly parameters: Readonly<Record<string, string>>
  readonly metrics: Readonly<Record<string, bigint | number>>
  readonly engine: string
  /** ms since the epoch. */
  readonly now: number
  /** The version that the commit was made for; null for the first. */
  readonly readVersion: number | null
  readonly isBlindAppend: boolean
  /** More members, none of which takes the place of one of ours. */
  readonly info: Readonly<Record<string, string>>
}

/** No two commits are alike: by its id a writer knows its own. */
export function commitInfoLine(facts: CommitFacts): string {
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

/** @param file its name is the path on the disk, relative to the root */
export function addLine(
  { name, bytes, stats }: ExaminedFile,
  values: Readonly<Record<string, string>>,
  tags: Readonly<Record<string, string>>,
  now: number,
): string {
  const path = JSON.stringify(logUri(name))
  const head = `"path":${path},"partitionValues":${JSON.stringify(values)},"size":${bytes},"modificationTime":${now}`
  const tail = `"dataChange":true,"stats":${JSON.stringify(statsText(stats))},"tags":${JSON.stringify(tags)}`
  return `{"add":{${head},${tail}}}`
}

/** Of a file as the log has it: the path stays as it is spelled there. */
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

/** Statistics as the log has them (PROTOCOL.md, "Per-file Statistics"). */
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
