/**
 * Facts of a version from the rows and columns of the catalog; from raw lines only if a column cannot store the value.
 */
import { ADD_COLUMNS, addRecord, utf8, type AddRecord } from '../../../catalog/export/adds.ts'
import { keyedPages } from '../../../catalog/export/merge.ts'
import { tombstonesAt } from '../../../catalog/export/tombstones.ts'
import { countsAt } from '../../../catalog/query/counts.ts'
import { domainsAt, stateAt, txnsAt } from '../../../catalog/query/state.ts'
import type { ReadableTable } from '../../../catalog/catalog.ts'
import { parseAction } from '../../../delta/parse-action.ts'
import { canonicalPath } from '../../../delta/paths.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { SqlReader } from '../../../model/run/sql-port.ts'
import {
  fileFact,
  mapText,
  metadataFact,
  protocolFact,
  removeFact,
  textFact,
  vectorText,
  replaceSurrogates,
  type Fact,
  type FileTexts,
} from './facts.ts'
import { oneBlock } from './log-facts.ts'
import type { VersionFacts } from './version-facts.ts'

export type CatalogVersion = {
  readonly table: ReadableTable
  readonly version: number
  /** Version of the exported log's checkpoint, which does not record when its files were added; -1 without one. */
  readonly checkpoint: number
  /** `source` of the rows with the removes of the first version: `SOURCE.checkpoint` or `SOURCE.commit`. */
  readonly baseSource: number
  /** Removes before this time, ms, are left out. */
  readonly expired: number
}

const FILES = `SELECT ${ADD_COLUMNS}, dv_id, added_version FROM delta_files
  WHERE table_id = ? AND added_version <= ? AND (removed_version IS NULL OR removed_version > ?) AND file_no > ?
  ORDER BY file_no LIMIT ?`

export async function catalogFacts(reader: SqlReader, at: CatalogVersion, signal: AbortSignal): Promise<VersionFacts> {
  const { table, version, baseSource, expired } = at
  const { tableId, location } = table
  const { protocol, metadata } = await stateAt(reader, tableId, version)
  const counts = await countsAt(reader, tableId, version)
  const txns = await txnsAt(reader, tableId, version)
  const domains = await domainsAt(reader, tableId, version)
  return {
    files: () => files(reader, at, signal),
    removes: async function* () {
      for await (const page of tombstonesAt(reader, table, version, baseSource, expired)) {
        throwIfAborted(signal)
        yield page.map((remove) => removeFact(remove, canonicalPath(remove.path, location)))
      }
    },
    protocol: oneBlock(protocol === null ? [] : [protocolFact(protocol)]),
    metadata: oneBlock(metadata === null ? [] : [metadataFact(metadata)]),
    transactions: oneBlock(txns.map((txn) => textFact(txn.appId, [txn.version, txn.lastUpdated]))),
    domains: oneBlock(domains.map((domain) => textFact(domain.domain, [domain.configuration]))),
    totals: oneBlock([textFact('', [counts.files, String(counts.bytes), counts.rows])]),
  }
}

async function* files(
  reader: SqlReader,
  { table, version, checkpoint }: CatalogVersion,
  signal: AbortSignal,
): AsyncGenerator<readonly Fact[]> {
  const { tableId, location } = table
  for await (const page of keyedPages(reader, FILES, [tableId, version, version])) {
    throwIfAborted(signal)
    yield page.map((row) => {
      const [dv, added] = row.slice(-2) as [string | null, number]
      const words = wordsOf(addRecord(row))
      return fileFact(words, canonicalPath(words.path, location), dv, added <= checkpoint ? null : added)
    })
  }
}

function wordsOf({ columns, raw }: AddRecord): FileTexts {
  const { partitionValues, tags, deletionVector, stats } = columns
  return {
    path: columns.path,
    partitionValues: partition(partitionValues),
    size: columns.size,
    modificationTime: columns.modificationTime,
    dataChange: columns.dataChange,
    stats: stats === null ? null : statsOf(stats, raw),
    tags: tags === null ? null : mapText(parsed(tags)),
    deletionVector: deletionVector === null ? null : vectorText(parsed(deletionVector)),
    baseRowId: columns.baseRowId,
    defaultRowCommitVersion: columns.defaultRowCommitVersion,
    clusteringProvider: columns.clusteringProvider,
  }
}

/** Statistics as the log has them: from the raw line if it was kept. The column has U+FFFD for unpaired surrogates. */
function statsOf(stats: string, raw: Uint8Array | null): string {
  if (raw === null || !stats.includes('\ufffd')) return stats
  const action = parseAction(utf8(raw), () => 'an add line of the catalog')
  const written = action.kind === 'add' ? (action.add.stats ?? stats) : stats
  return replaceSurrogates(written) === stats ? written : stats
}

type Values = Readonly<Record<string, string | null>>

/** Maximum number of partition texts that are cached, because many files have the same partition. */
const MOST_KEPT = 10_000
const partitions = new Map<string, string | null>()

function partition(json: string | null): string | null {
  if (json === null) return null
  let text = partitions.get(json)
  if (text === undefined) {
    text = mapText(parsed(json))
    if (partitions.size < MOST_KEPT) partitions.set(json, text)
  }
  return text
}

/** Parses JSON. A text that is not JSON becomes a key, so that the comparison reports it instead of failing. */
function parsed(json: string): Values {
  try {
    return JSON.parse(json) as Values
  } catch {
    return { [json]: null }
  }
}
