/** All findings of a database before its removal. */
import { isoTime } from '../../../shared/clock.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { DecommissionFinding } from '../../../model/partition/decommission-port.ts'
import type {
  Contents,
  DatabaseInside,
  DatabaseRetirement,
  DatabaseUse,
} from '../../../model/partition/retirement-port.ts'
import { allLedgers } from '../../../engine/copy/ledger/other-ledgers.ts'
import type { Ledgers } from '../../../archive/work/find-ledger.ts'
import { unreadLedger } from '../inspect-old-table.ts'
import { keptFinding } from './both-sides.ts'
import { movedFrom } from './moved.ts'
import type { DatabaseStep } from './steps.ts'
import { ARCHIVES, tableFindings, type TableFindings } from './tables.ts'
import { TargetSide } from './target-side.ts'
import { archivesInside, findDependentsInTarget, findDependentsInside } from './dependents.ts'
import { graceFinding } from '../ledger-findings.ts'

export type InspectDatabase = {
  readonly retirement: DatabaseRetirement
  /** The database that the tables moved to, with the ledger. */
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly identity: string
  readonly leave: readonly string[]
  readonly signal: AbortSignal
}

type Findings = readonly DecommissionFinding[]

/** Data from a session in the database, and that session. */
export type InspectedDatabase = { readonly contents: Contents; readonly inside: DatabaseInside }

/**
 * Findings for a database that accepts connections.
 * @param outside findings of its server, made while sluice had no session in the database except that of `seen`
 * @param inside the database itself, and the ledgers of archives in it
 */
export async function inspectOpen(
  options: InspectDatabase,
  seen: InspectedDatabase,
  outside: Findings,
  inside: { readonly store: CopyStore; readonly archives: Ledgers },
): Promise<Findings> {
  return [
    ...(await dependentsInTarget(options)),
    ...(await dependentsInside(inside, options)),
    ...(options.leave.some((name) => name.endsWith(ARCHIVES)) ? [] : await archivesInside(inside.archives, options)),
    ...(await contentFindings(options, seen)).findings,
    ...outside,
  ]
}

/** Streams and cutovers that still need the database, from every ledger of the target. */
async function dependentsInTarget({
  to,
  database,
  identity,
  signal,
}: Pick<InspectDatabase, 'to' | 'database' | 'identity' | 'signal'>): Promise<Findings> {
  const found: DecommissionFinding[] = []
  await using ledgers = await allLedgers(to, database, signal)
  for (const place of ledgers.places) found.push(...(await findDependentsInTarget(place, identity)))
  return [...found, ...ledgers.unread.map(unreadLedger)]
}

/** As `dependentsInTarget`, for every ledger in the database itself. */
async function dependentsInside(
  { store, archives }: { readonly store: CopyStore; readonly archives: Ledgers },
  { to, database, signal }: Pick<InspectDatabase, 'to' | 'database' | 'signal'>,
): Promise<Findings> {
  const found: DecommissionFinding[] = []
  await using ledgers = await allLedgers(store, archives.own, signal)
  for (const place of ledgers.places) found.push(...(await findDependentsInside(place, to, database)))
  return [...found, ...ledgers.unread.map(unreadLedger)]
}

/**
 * Findings for the contents of the database: each table, compared with ledger and target, and what the session found.
 */
export async function contentFindings(
  { to, database, identity, leave, signal }: InspectDatabase,
  { contents, inside }: InspectedDatabase,
): Promise<TableFindings> {
  const moved = await movedFrom(database, identity)
  await using target = new TargetSide(to, signal)
  const options = { contents, moved, leave, database, identity, inside, target, to: to.label, signal }
  const { findings, kept } = await tableFindings(options)
  return { findings: [...findings, ...contents.findings], kept }
}

/** Result of inspecting an inactive database. @property use current counters @property graceEndMs null if it is over */
export type InspectedInactive = {
  readonly findings: Findings
  readonly use: DatabaseUse
  readonly graceEndMs: number | null
}

/**
 * Findings for a database that refuses connections. Its content cannot have changed since it was made inactive, but the
 * content of the target can.
 * @param inactive the step that made it inactive @param left uncopied content that was named with --leave
 */
export async function inspectInactive(
  options: InspectDatabase,
  inactive: DatabaseStep,
  left: readonly string[],
  { nowMs, graceMs }: { readonly nowMs: number; readonly graceMs: number },
): Promise<InspectedInactive> {
  const { retirement, signal } = options
  const { use, findings } = await retirement.inspect(signal)
  const end = inactive.doneMs + graceMs
  return {
    use,
    graceEndMs: end <= nowMs ? null : end,
    findings: [
      graceFinding(end, nowMs, 'database'),
      ...(await dependentsInTarget(options)),
      useSinceInactive(use, inactive.detail.use, inactive.doneMs),
      ...left.map((object): DecommissionFinding => ({
        verdict: 'look',
        about: 'table',
        object,
        detail:
          'it will be dropped, with or without its rows in the target, as you said when the database was made inactive',
      })),
      ...(await keptFindings(options, inactive)),
      ...findings,
    ],
  }
}

/**
 * Reports sessions and writes in a database since it began to refuse connections.
 * @param then counters when the database was made inactive, at `atMs`; absent if not recorded
 */
function useSinceInactive(now: DatabaseUse, then: DatabaseUse | undefined, atMs: number): DecommissionFinding {
  const about = 'sessions since'
  if (then === undefined || then.resetAt !== now.resetAt) {
    const detail = then === undefined ? 'the counters were not recorded' : 'the server has reset its counters since'
    return { verdict: 'not known', about, detail }
  }
  const sessions = then.sessions === null || now.sessions === null ? null : BigInt(now.sessions) - BigInt(then.sessions)
  const writes = BigInt(now.writes) - BigInt(then.writes)
  // Autovacuum also writes statistics of a database that refuses connections, and has no session.
  const isUsed = sessions === null ? writes > 0n : sessions > 0n
  const hint =
    sessions === null
      ? 'autovacuum of the server writes rows too; if it did not run, a user accepted connections again for a while'
      : 'a user accepted connections again for a while: find out who'
  const counted = sessions === null ? 'this server does not count sessions' : `${String(sessions)} sessions`
  return {
    verdict: isUsed ? 'look' : 'fine',
    about,
    detail: `${counted}, ${String(writes)} written rows since ${isoTime(atMs)}${isUsed || writes === 0n ? '' : ', by the server itself (autovacuum)'}`,
    ...(isUsed ? { hint } : {}),
  }
}

async function keptFindings(
  { to, leave, signal }: InspectDatabase,
  { doneMs, detail }: DatabaseStep,
): Promise<Findings> {
  if (detail.kept === undefined) return [NOT_COUNTED]
  await using target = new TargetSide(to, signal)
  const found: DecommissionFinding[] = []
  for (const one of detail.kept) found.push(await keptFinding(one, target, doneMs, leave))
  return found
}

const NOT_COUNTED: DecommissionFinding = {
  verdict: 'refused',
  about: 'target',
  detail: 'the run that made this database inactive did not record the rows of the target',
  hint: 'run with --undo to accept connections again; the same command then counts both sides',
}
