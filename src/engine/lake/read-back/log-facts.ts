/** A version of an exported log, as sluice's own reader reads it. */
import type { AddAction } from '../../../delta/actions.ts'
import type { Snapshot } from '../../../delta/snapshot.ts'
import { numRecordsOf } from '../../../delta/stats.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { FactBlocks } from './fact-sums.ts'
import {
  fileFact,
  mapText,
  metadataFact,
  protocolFact,
  removeFact,
  textFact,
  vectorText,
  type Fact,
  type FileTexts,
} from './facts.ts'
import type { VersionFacts } from './version-facts.ts'

/** @param expired removes before this time, ms, are left out: a checkpoint may omit them */
export async function logFacts(snapshot: Snapshot, expired: number, signal: AbortSignal): Promise<VersionFacts> {
  const { protocol, metadata, txns, domains } = await snapshot.state(signal)
  const totals = { files: 0, bytes: 0n, rows: 0n as bigint | null }
  return {
    files: () => files(snapshot, totals, signal),
    removes: () => removes(snapshot, expired, signal),
    protocol: oneBlock([protocolFact(protocol)]),
    metadata: oneBlock([metadataFact(metadata)]),
    transactions: oneBlock([...txns.values()].map((txn) => textFact(txn.appId, [txn.version, txn.lastUpdated]))),
    domains: oneBlock([...domains.values()].map((domain) => textFact(domain.domain, [domain.configuration]))),
    totals: oneBlock(() => [
      textFact('', [totals.files, String(totals.bytes), totals.rows === null ? null : String(totals.rows)]),
    ]),
  }
}

/** Known facts as one block. */
export function oneBlock(facts: readonly Fact[] | (() => readonly Fact[])): FactBlocks {
  return async function* () {
    yield typeof facts === 'function' ? facts() : facts
  }
}

type Totals = { files: number; bytes: bigint; rows: bigint | null }

/** Facts of all active files. Also sets `totals` to the totals of these files. */
async function* files(snapshot: Snapshot, totals: Totals, signal: AbortSignal): AsyncGenerator<readonly Fact[]> {
  Object.assign(totals, { files: 0, bytes: 0n, rows: 0n })
  for await (const block of snapshot.files({ signal })) {
    throwIfAborted(signal)
    totals.files += block.length
    for (const { add } of block) {
      totals.bytes += BigInt(add.size)
      const records: number | null = numRecordsOf(add.stats)
      if (records === null) totals.rows = null
      else if (totals.rows !== null) totals.rows += BigInt(records - (add.deletionVector?.cardinality ?? 0))
    }
    yield block.map(({ add, path, dvId, addedVersion }) => fileFact(wordsOf(add), path, dvId, addedVersion))
  }
}

function wordsOf(add: AddAction): FileTexts {
  return {
    path: add.path,
    partitionValues: mapText(add.partitionValues),
    size: add.size,
    modificationTime: add.modificationTime,
    dataChange: add.dataChange,
    stats: add.stats ?? null,
    tags: mapText(add.tags),
    deletionVector: vectorText(add.deletionVector),
    baseRowId: add.baseRowId ?? null,
    defaultRowCommitVersion: add.defaultRowCommitVersion ?? null,
    clusteringProvider: add.clusteringProvider ?? null,
  }
}

async function* removes(snapshot: Snapshot, expired: number, signal: AbortSignal): AsyncGenerator<readonly Fact[]> {
  for await (const block of snapshot.tombstones(signal)) {
    throwIfAborted(signal)
    yield block
      .filter(({ remove }) => (remove.deletionTimestamp ?? 0) > expired)
      .map(({ remove, path }) => removeFact(remove, path))
  }
}
