/**
 * The ownership token of an archive's log (`head` in the ledger): a number that each commit of sluice replaces, and
 * that the ledger stores before the commit is written. If the ledger does not have the log's token, another database
 * continued the log: a copy of this database, the original of this copy, or this database before it was restored from a
 * backup.
 */
import { randomInt } from 'node:crypto'
import type { ProtocolAction } from '../../delta/actions.ts'
import type { ArchiveState } from '../../model/archive/state.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { LedgerName } from './ledger-name.ts'

/** Application id of the transaction that carries the token. */
export const TOKEN_APP = 'sluice/head'

/** A writer-only feature: every reader may read the table; programs without tokens (old sluice) refuse to write. */
export const TOKEN_FEATURE = 'sluiceHead'

/** Steps of up to 2^36 allow at least 2^17 commits below 2^53, which every reader stores exactly. */
const STEP = 2 ** 36

export type LedgerToken = { readonly head: bigint; readonly version: number; readonly state: 'intended' | 'left' }

/** The claim that a program must have to commit, and the files that the log names after the commit. */
export type CommitClaim = {
  readonly label: string
  readonly fence: bigint
  /** State that the ledger must have for the partition: it differs after a lost commit or a restored backup. */
  readonly state: ArchiveState
  /** Paths of the partition that the log may name from now on; null keeps the ledger's list. */
  readonly logged: readonly string[] | null
}

export type TokenIntent = {
  readonly head: bigint
  readonly version: number
  /** Digest of the bytes of the commit. */
  readonly sha256: string
  readonly claim: CommitClaim | null
}

/**
 * Checksums in the ledger for the commits of one version. @property landed true if the log has one of these commits
 */
export type CommitChecksums = { readonly sha256: ReadonlySet<string>; readonly landed: boolean }

/** The ownership tokens of one archive in its ledger. */
export interface TokenStore {
  /** Name of this ledger in the log; null if it has none yet. */
  name(): Promise<LedgerName | null>
  /** The token written last, and all tokens whose commits may still be written. */
  read(): Promise<readonly LedgerToken[]>
  /**
   * Stores a token, and the checksum of its commit, before the commit is written.
   * @throws SluiceError LEASE_LOST if another program holds the partition of the claim, or its state in the ledger
   * differs: then nothing may be written
   */
  intend(intent: TokenIntent): Promise<void>
  /**
   * Records that the log has this token at this version: no other token can be written for this or an earlier version.
   */
  recordWritten(head: bigint, version: number): Promise<void>
  /** Checksums of this ledger's commits, by version; without commits of older programs and other ledgers. */
  checksums(): Promise<ReadonlyMap<number, CommitChecksums>>
  /** Stops comparing these commits: they belong to another ledger, or are about to be destroyed. */
  forget(versions: readonly number[]): Promise<void>
}

/** A new ownership token. Larger than the last one, unless 2^53 is near: tokens are only compared for equality. */
export function nextToken(last: bigint | null): bigint {
  const next = (last ?? 0n) + BigInt(1 + randomInt(STEP))
  return next <= BigInt(Number.MAX_SAFE_INTEGER) ? next : BigInt(1 + randomInt(STEP))
}

/** True if the ledger wrote or intended the log's token. @param head token of the log, null if it has none */
export function isOwnToken(head: bigint | null, heads: readonly LedgerToken[]): boolean {
  // A token that was written cannot disappear from a log.
  if (head === null) return !heads.some(({ state }) => state === 'left')
  return heads.some((one) => one.head === head)
}

/** The protocol with the requirement that writers support tokens; requirements for readers do not change. */
export function withTokenFeature(protocol: ProtocolAction): ProtocolAction {
  const { minWriterVersion, writerFeatures = [] } = protocol
  if (minWriterVersion >= 7) {
    // delta-spark opens a table with NOT NULL columns only if the protocol lists the feature `invariants`.
    const missing = ['invariants', TOKEN_FEATURE].filter((name) => writerFeatures?.includes(name) !== true)
    if (missing.length === 0) return protocol
    return { ...protocol, writerFeatures: [...(writerFeatures ?? []), ...missing] }
  }
  // Features that these older protocol versions imply. Features that sluice cannot write were refused before.
  const meant = [
    ...(minWriterVersion >= 2 ? ['appendOnly', 'invariants'] : []),
    ...(minWriterVersion >= 5 ? ['columnMapping'] : []),
  ]
  return { ...protocol, minWriterVersion: 7, writerFeatures: [...meant, TOKEN_FEATURE] }
}

/** Command that adopts the archive. @param table the archived table as a command names it; null if unknown */
export function adoptCommand(table: string | null): string {
  const name = table === null ? 'TABLE' : shellQuote(table)
  return `sluice archive adopt --table ${name} --confirm=${name}`
}

/** @param where label of the archive @param table see `adoptCommand` */
export function foreignTokenError(where: string, version: number, table: string | null): SluiceError {
  return new SluiceError(
    'ARCHIVE_FOREIGN',
    `version ${version} of the archive was written with an ownership token that is not in this ledger`,
    {
      where,
      reason:
        'another database (a copy or the original of this one) writes into it, or this one was restored from a backup',
      hint: `nothing was changed; ${adoptCommand(table)} compares the archive with this database, and stops the other database from writing into it`,
    },
  )
}

/** @param paths files that are not in the ledger */
export function foreignFilesError(where: string, partition: string, paths: readonly string[]): SluiceError {
  return new SluiceError(
    'ARCHIVE_FOREIGN',
    `the log has files of ${partition} that are not in this ledger, such as ${paths[0] ?? ''}`,
    {
      where,
      reason: 'only files that this ledger has published can be removed from the archive',
      hint: 'nothing was changed; find the program that added them, or adopt the archive with sluice archive adopt --table TABLE',
    },
  )
}
