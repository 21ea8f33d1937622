/** `<version>.crc` (PROTOCOL.md, "Version Checksum File"): the writer's own summary of the table at a version. */
import type { LogStore } from '../model/lake/log-store.ts'
import type { AddAction, DomainMetadataAction, MetadataAction, ProtocolAction, TxnAction } from './actions.ts'
import { countOrNull, parseObject, readSmall } from './last-checkpoint.ts'
import { crcName, logPathOf } from './log-path.ts'
import { parseAction } from './parse-action.ts'

export type VersionChecksum = {
  readonly version: number
  readonly tableSizeBytes: number
  readonly numFiles: number
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  readonly txnId: string | null
  /** Milliseconds since the epoch. */
  readonly inCommitTimestamp: number | null
  /** `txns` and `domains`: null if the writer did not record them; empty if the table has none. */
  readonly txns: readonly TxnAction[] | null
  readonly domains: readonly DomainMetadataAction[] | null
  /** Parses the list of all files; null if the writer did not record it, or an entry is no add action. */
  readonly listedFiles: () => readonly AddAction[] | null
}

/** Parses one action from its bare object; null if it is not valid. */
function actionOf(kind: string, value: unknown): ReturnType<typeof parseAction> | null {
  if (typeof value !== 'object' || value === null) return null
  try {
    return parseAction(JSON.stringify({ [kind]: value }), () => 'crc')
  } catch {
    return null
  }
}

function actionsOf<T>(
  kind: string,
  values: unknown,
  pick: (action: ReturnType<typeof parseAction>) => T | null,
): readonly T[] | null {
  if (!Array.isArray(values)) return null
  const found: T[] = []
  for (const value of values) {
    const action = actionOf(kind, value)
    const picked = action === null ? null : pick(action)
    if (picked === null) return null
    found.push(picked)
  }
  return found
}

/** A version's checksum; null if missing or unreadable: it is optional. @throws SluiceError SOURCE_DENIED, SOURCE_IO */
export async function readCrc(store: LogStore, version: number, signal: AbortSignal): Promise<VersionChecksum | null> {
  const object = parseObject(await readSmall(store, logPathOf(crcName(version)), signal))
  if (object === null) return null
  const tableSizeBytes = countOrNull(object['tableSizeBytes'])
  const numFiles = countOrNull(object['numFiles'])
  if (tableSizeBytes === null || numFiles === null) return null
  const protocol = actionOf('protocol', object['protocol'])
  const metadata = actionOf('metaData', object['metadata'])
  return {
    version,
    tableSizeBytes,
    numFiles,
    protocol: protocol?.kind === 'protocol' ? protocol.protocol : null,
    metadata: metadata?.kind === 'metaData' ? metadata.metaData : null,
    txnId: typeof object['txnId'] === 'string' ? object['txnId'] : null,
    inCommitTimestamp: countOrNull(object['inCommitTimestampOpt']),
    // JSON.parse has already rounded a version above 2^53: return no list rather than one that seems to contradict the
    // log.
    txns: actionsOf('txn', object['setTransactions'], (one) =>
      one.kind === 'txn' && Number.isSafeInteger(Number(one.txn.version)) ? one.txn : null,
    ),
    domains: actionsOf('domainMetadata', object['domainMetadata'], (one) =>
      one.kind === 'domainMetadata' ? one.domainMetadata : null,
    ),
    listedFiles: () => actionsOf('add', object['allFiles'], (one) => (one.kind === 'add' ? one.add : null)),
  }
}
