/** Everything that is known of a database that is to go, before anything is done to it. */
import { isoTime } from '../../../shared/clock.ts'
import type { CopyStore, LedgerDatabase } from '../../../stores/copy-port.ts'
import type { DecommissionFinding } from '../../../stores/decommission-port.ts'
import type { Contents, DatabaseRetirement, DatabaseUse } from '../../../stores/retirement-port.ts'
import { hasLedger } from '../../copy/ledger/schema.ts'
import { movedFrom } from './moved.ts'
import type { DatabaseStep } from './steps.ts'
import { ARCHIVES, tableFindings } from './tables.ts'
import { useSinceInactive } from './use.ts'
import { archivesInside, wantedByTarget, wantedInside } from './wanted.ts'

export type ExamineDatabase = {
  readonly retirement: DatabaseRetirement
  /** With the ledger. */
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly identity: string
  readonly leave: readonly string[]
}

type Findings = readonly DecommissionFinding[]

/**
 * Of a database that takes connections.
 * @param contents what a session in it has seen
 * @param outside what its server knows, as of a moment at which no session of ours but that one was in it
 * @param inside the ledger that is in it
 */
export async function examineOpen(
  wish: ExamineDatabase,
  contents: Contents,
  outside: Findings,
  inside: LedgerDatabase,
): Promise<Findings> {
  return [
    ...(await wantedByTarget(wish.database, wish.identity)),
    ...((await hasLedger(inside)) ? await wantedInside(inside, wish.database) : []),
    ...(wish.leave.some((name) => name.endsWith(ARCHIVES)) ? [] : await archivesInside(inside)),
    ...(await contentFindings(wish, contents)),
    ...outside,
  ]
}

/** What a session in the database has seen of it, beside what the ledger knows of its tables. */
export async function contentFindings(
  { to, database, identity, leave }: ExamineDatabase,
  contents: Contents,
): Promise<Findings> {
  const moved = await movedFrom(database, identity)
  return [...(await tableFindings({ contents, moved, leave, database, identity, to: to.label })), ...contents.findings]
}

/** @property use counters as they are now */
export type ExaminedInactive = {
  readonly findings: Findings
  readonly use: DatabaseUse
  readonly graceOver: boolean
}

/**
 * Of a database that refuses connections. What it holds cannot have changed since.
 * @param inactive the step since when @param left what goes with it though no run has copied it
 */
export async function examineInactive(
  { retirement, database, identity }: ExamineDatabase,
  inactive: DatabaseStep,
  left: readonly string[],
  { nowMs, graceMs }: { readonly nowMs: number; readonly graceMs: number },
  signal: AbortSignal,
): Promise<ExaminedInactive> {
  const { use, findings } = await retirement.look(signal)
  const end = inactive.doneMs + graceMs
  const graceOver = end <= nowMs
  return {
    use,
    graceOver,
    findings: [
      {
        verdict: graceOver ? 'fine' : 'waits',
        about: 'grace',
        detail: graceOver
          ? `is over since ${isoTime(end)}`
          : `ends at ${isoTime(end)}: the database is not dropped before`,
      },
      ...(await wantedByTarget(database, identity)),
      useSinceInactive(use, inactive.detail.use, inactive.doneMs),
      ...left.map((object): DecommissionFinding => ({
        verdict: 'look',
        about: 'table',
        object,
        detail: 'no run has copied it whole: it goes, as was said when the database was made inactive',
      })),
      ...findings,
    ],
  }
}
