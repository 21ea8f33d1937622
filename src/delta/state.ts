/** Protocol, metadata, transactions and domains of a version, read newest first. File actions are not parsed. */
import { SluiceError } from '../shared/errors.ts'
import type {
  ActionKind,
  ActionLine,
  DomainMetadataAction,
  MetadataAction,
  ProtocolAction,
  TxnAction,
} from './actions.ts'
import { readCheckpoint } from './checkpoint.ts'
import { readLog } from './commit-lines.ts'
import { logPathOf } from './log-path.ts'
import type { CommitFile } from './listing.ts'
import type { ReplaySource } from './replay.ts'

/** The actions that decide whether and how a table can be read. */
export type TableHead = { readonly protocol: ProtocolAction; readonly metadata: MetadataAction }

export type DeltaTableState = TableHead & {
  readonly version: number
  readonly txns: ReadonlyMap<string, TxnAction>
  /** Active domains; removed ones are left out. */
  readonly domains: ReadonlyMap<string, DomainMetadataAction>
}

const HEAD_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['protocol', 'metaData'])
const STATE_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['protocol', 'metaData', 'txn', 'domainMetadata'])

/** Collects from newest to oldest: a value that is already set is kept. */
class Collector {
  protocol: ProtocolAction | null = null
  metadata: MetadataAction | null = null
  readonly txns = new Map<string, TxnAction>()
  readonly domains = new Map<string, DomainMetadataAction>()

  get complete(): boolean {
    return this.protocol !== null && this.metadata !== null
  }

  take({ action }: ActionLine): void {
    if (action.kind === 'protocol') this.protocol ??= action.protocol
    else if (action.kind === 'metaData') this.metadata ??= action.metaData
    else if (action.kind === 'txn') {
      if (!this.txns.has(action.txn.appId)) this.txns.set(action.txn.appId, action.txn)
    } else if (action.kind === 'domainMetadata') {
      const { domainMetadata } = action
      if (!this.domains.has(domainMetadata.domain)) this.domains.set(domainMetadata.domain, domainMetadata)
    }
  }
}

async function collect(source: ReplaySource, signal: AbortSignal, headOnly: boolean): Promise<Collector> {
  const { store, parquet, segment } = source
  const kinds = headOnly ? HEAD_KINDS : STATE_KINDS
  const found = new Collector()
  // Callers of the state mostly read the files next, from the same commits, so keep the data that was read ahead.
  store.prefetch?.(segment.commits.map(({ name }) => logPathOf(name)).toReversed(), { signal, keep: true })
  for (let i = segment.commits.length - 1; i >= 0; i--) {
    if (headOnly && found.complete) return found
    const lines: ActionLine[] = []
    for await (const block of readLog(store, (segment.commits[i] as CommitFile).name, { signal, kinds }))
      lines.push(...block)
    for (let at = lines.length - 1; at >= 0; at--) found.take(lines[at] as ActionLine)
  }
  if (segment.checkpoint !== null && !(headOnly && found.complete)) {
    for await (const block of readCheckpoint(store, parquet, segment.checkpoint, { signal, kinds })) {
      for (const line of block) found.take(line)
    }
  }
  return found
}

function headOf(found: Collector, source: ReplaySource): TableHead {
  const { protocol, metadata } = found
  const { segment, store } = source
  const reach =
    segment.checkpoint === null ? `versions 0 to ${segment.version}` : `version ${segment.version} or its checkpoint`
  if (protocol === null) {
    throw new SluiceError('MISSING_PROTOCOL', `no protocol action in ${reach}`, {
      where: store.label,
      reason: 'without a protocol the table cannot be read',
    })
  }
  if (metadata === null) {
    throw new SluiceError('MISSING_METADATA', `no metadata action in ${reach}`, {
      where: store.label,
      reason: 'without metadata the table has no schema',
    })
  }
  return { protocol, metadata }
}

/**
 * Protocol and metadata of a segment; stops reading as soon as both are found.
 * @throws SluiceError MISSING_PROTOCOL, MISSING_METADATA, BAD_ACTION, BAD_CHECKPOINT …
 */
export async function readLogHead(source: ReplaySource, signal: AbortSignal): Promise<TableHead> {
  return headOf(await collect(source, signal, true), source)
}

/** As `readLogHead`, with transactions and domains; reads every commit of the segment. */
export async function readTableState(source: ReplaySource, signal: AbortSignal): Promise<DeltaTableState> {
  const found = await collect(source, signal, false)
  const domains = new Map([...found.domains].filter(([, domain]) => !domain.removed))
  return { version: source.segment.version, ...headOf(found, source), txns: found.txns, domains }
}
