/**
 * The head of an archive's log: a number that each commit of sluice replaces, and that the ledger knows before the commit is put. A log whose head the
 * ledger does not know was continued by another database: a copy of this one, the original of this copy, or this one before it was restored.
 */
import { randomInt } from 'node:crypto'
import type { ProtocolAction } from '../../delta/actions.ts'
import type { ArchiveState } from '../../model/archive/state.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { LedgerName } from './ledger-name.ts'

/** Application id of the transaction that carries the head. */
export const HEAD_APP = 'sluice/head'

/**
 * Feature for writers only: every reader may read the table, and a program that does not know heads, such as sluice before them, refuses to write.
 */
export const HEAD_FEATURE = 'sluiceHead'

/** Steps of 2^36 leave room for 2^18 commits below 2^53, which every reader holds exactly. */
const STEP = 2 ** 36

export type LedgerHead = { readonly head: bigint; readonly version: number; readonly state: 'intended' | 'left' }

/** What a program has to hold so that it may commit, and what the log names of it afterwards. */
export type Claim = {
  readonly label: string
  readonly fence: bigint
  /** What the ledger has to call the partition: a server that forgot a commit, or came back from a backup, says another one. */
  readonly state: ArchiveState
  /** Paths of the partition that the log may name from now on; null leaves what the ledger has. */
  readonly logged: readonly string[] | null
}

export type HeadIntent = {
  readonly head: bigint
  readonly version: number
  /** Of the bytes of the commit. */
  readonly sha256: string
  readonly claim: Claim | null
}

/** What the ledger has of the commits of one version. @property landed whether one of them is known to be the log's */
export type CommitSums = { readonly sha256: ReadonlySet<string>; readonly landed: boolean }

/** The heads of one archive in its ledger. */
export interface HeadBook {
  /** What this ledger is called in the log; null where it has no name yet. */
  name(): Promise<LedgerName | null>
  /** The head that was left, and all whose commits may still land. */
  read(): Promise<readonly LedgerHead[]>
  /**
   * Stores a head, and the sum of its commit, before that is put.
   * @throws SluiceError LEASE_LOST where another program holds the partition of the claim, or the ledger calls it something else: then nothing may be put
   */
  intend(intent: HeadIntent): Promise<void>
  /** The log carries this head at this version: no other head of that version or before can land any more. */
  settle(head: bigint, version: number): Promise<void>
  /** What this ledger wrote, by version; nothing of commits of older programs and of other ledgers. */
  sums(): Promise<ReadonlyMap<number, CommitSums>>
  /** These commits are compared no more: they are another ledger's, or are about to be destroyed. */
  forget(versions: readonly number[]): Promise<void>
}

/** Above the last one, unless 2^53 is near: heads are compared for equality only. */
export function nextHead(last: bigint | null): bigint {
  const next = (last ?? 0n) + BigInt(1 + randomInt(STEP))
  return next <= BigInt(Number.MAX_SAFE_INTEGER) ? next : BigInt(1 + randomInt(STEP))
}

/** @param head of the log, null where it has none */
export function isOwnHead(head: bigint | null, heads: readonly LedgerHead[]): boolean {
  // A head that was left does not vanish from a log.
  if (head === null) return !heads.some(({ state }) => state === 'left')
  return heads.some((one) => one.head === head)
}

/** The protocol of a table whose writers have to know heads; what readers need stays as it is. */
export function withHeadFeature(protocol: ProtocolAction): ProtocolAction {
  const { minWriterVersion, writerFeatures = [] } = protocol
  if (minWriterVersion >= 7) {
    // Columns that are NOT NULL are `invariants`: delta-spark opens no table that has them and does not list the feature.
    const missing = ['invariants', HEAD_FEATURE].filter((name) => writerFeatures?.includes(name) !== true)
    if (missing.length === 0) return protocol
    return { ...protocol, writerFeatures: [...(writerFeatures ?? []), ...missing] }
  }
  // What older versions mean without naming it; features that sluice does not write are refused before.
  const meant = [
    ...(minWriterVersion >= 2 ? ['appendOnly', 'invariants'] : []),
    ...(minWriterVersion >= 5 ? ['columnMapping'] : []),
  ]
  return { ...protocol, minWriterVersion: 7, writerFeatures: [...meant, HEAD_FEATURE] }
}

/** @param table whose archive it is, as a command names it; null if unknown */
export function adoptCommand(table: string | null): string {
  const words = table === null ? '' : ` --table ${shellQuote(table)} --confirm=${shellQuote(table)}`
  return `sluice archive adopt${words}`
}

/**
 * @param where of the archive
 * @param table as for `adoptCommand`
 */
export function foreignHead(where: string, version: number, table: string | null): SluiceError {
  return new SluiceError(
    'ARCHIVE_FOREIGN',
    `version ${version} of the archive goes on from a head that this ledger does not know`,
    {
      where,
      reason:
        'another database writes into it, a copy or the original of this one, or this one was restored from a backup',
      hint: `nothing was changed; ${adoptCommand(table)} compares both and refuses the other database from then on`,
    },
  )
}

/** @param paths of files that the ledger does not know */
export function foreignFiles(where: string, partition: string, paths: readonly string[]): SluiceError {
  return new SluiceError(
    'ARCHIVE_FOREIGN',
    `the log names files of ${partition} that this ledger does not know, such as ${paths[0] ?? ''}`,
    {
      where,
      reason: 'only files that this ledger has published are taken out of the archive',
      hint: 'nothing was changed; find out who added them, or see sluice archive adopt',
    },
  )
}
