/** `sign-off`: compares the rows that a stream has copied, checks other objects, and stores the result. */
import { randomUUID } from 'node:crypto'
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { dec } from '../../../../model/run/event.ts'
import type { SignOff, SignOffCheck } from '../../../../model/follow/sign-off.ts'
import { signOffText } from '../../../../model/follow/sign-off-text.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { redactUrl } from '../../../../shared/redact.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import { OBJECT_OPTIONS } from '../../../../model/copy/schema-object.ts'
import { refuseOtherLedger } from '../../../copy/ledger/other-ledgers.ts'
import { openExisting, openSourceStore } from '../../../copy/open-stores.ts'
import { chosenLosses, planLeftBehind } from '../../../copy/plan/left-behind.ts'
import type { PlannedCopy } from '../../../copy/plan/plan-copy.ts'
import { planFollowed } from '../../../copy/plan/plan-followed.ts'
import { onSide } from '../../../copy/sides.ts'
import { streamEnded } from '../../cutover/successor.ts'
import { cdcOf } from '../../stream/known-stream.ts'
import { checksKeys } from '../../stream/preflight.ts'
import { keyChecks } from '../../stream/unchecked-keys.ts'
import { SignOffLedger, type AnsweredSignOff } from '../../ledger/sign-offs.ts'
import { StreamLedger } from '../../../copy/ledger/streams.ts'
import type { StreamRow } from '../../../copy/ledger/stream-row.ts'
import { planObjects, withoutFiringKeys, type PlannedObject } from '../../../copy/objects/plan-objects.ts'
import { streamTableNames } from '../../stream/requested-stream.ts'
import { copyOfStream, knowsStream, sourceUrl, namedStream } from '../../stream/named-stream.ts'
import type { CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import { checkReport, isJson, writeReport } from '../../../run/report-file.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import { compareNow, type OpenLedger } from '../../sign-off/compare-now.ts'
import { streamHistory } from '../../sign-off/history.ts'
import { signOffScope } from '../../sign-off/scope.ts'
import type { signOff, SignOffOperation } from './declaration.ts'

type SignOffRun = RunOf<typeof signOff>

/** @throws SluiceError NO_SUCH_TABLE for a run without a stream, STREAM_HALTED, BAD_FLAG; errors of the comparison */
export async function performSignOff(operation: SignOffOperation, run: SignOffRun): Promise<Ending> {
  if (operation.report !== undefined) await checkReport(operation.report)
  const asked = await requestSignOff(operation, run)
  const { id, stream } = asked
  const open = async (): Promise<OpenLedger> => await openLedger(operation.to, run)
  const drop = async (): Promise<void> => {
    await using ledger = await open()
    await ledger.signOffs.drop(id)
  }
  try {
    const answer = await compareNow({ id, stream: stream.id, operation: asked.copy, open, run })
    if (answer === null) {
      await drop()
      return { totals: {}, stopped: true }
    }
    return await reportChecks(await storeSignOff(operation, asked, answer, run), operation.report, run)
  } catch (error) {
    await drop().catch(() => undefined)
    throw error
  }
}

async function openLedger(url: string, run: SignOffRun): Promise<OpenLedger> {
  const to = await onSide('target', () => openExisting(url))
  try {
    const database = await to.ledger()
    return {
      signOffs: new SignOffLedger(database),
      streams: new StreamLedger(database, { ...run.owner, runId: BigInt(run.runId) }),
      [Symbol.asyncDispose]: async () => {
        await database[Symbol.asyncDispose]()
        await to[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await to[Symbol.asyncDispose]()
    throw error
  }
}

/** @property copy operation with which the stream began */
type SignOffRequest = {
  readonly id: string
  readonly stream: StreamRow
  readonly url: string
  readonly copy: CopyOperation
}

/** Writes the request to the ledger, then closes the target: only one program at a time can open a file's ledger. */
async function requestSignOff(operation: SignOffOperation, run: SignOffRun): Promise<SignOffRequest> {
  await using to = await onSide('target', () => openExisting(operation.to))
  await using database = await to.ledger()
  const { stream: named } = operation
  await refuseOtherLedger(to, database, `stream ${named} is`, knowsStream(named), run.interrupt.abort)
  const stream = await namedStream(database, named, to.label)
  await refuseUnready(stream, database)
  const url = sourceUrl(stream, operation.from, { url: operation.to, identity: to.identity })
  await using from = await openSourceStore(url)
  if (from.identity !== stream.sourceIdentity) {
    throw new SluiceError('PLAN_CHANGED', `stream ${stream.id} reads from another database`, {
      where: from.label,
      reason: `its source is ${stream.source}`,
      hint: 'name that database with --from',
    })
  }
  const copy = copyOfStream(stream, { from: url, to: operation.to }, {})
  const { scope } = await signOffScope(
    operation,
    await planFollowed(
      copy,
      { from, to, begun: database },
      await streamTableNames(stream.id, database),
      run.interrupt.abort,
    ),
    run.interrupt.abort,
  )
  const ledger = new SignOffLedger(database)
  await ledger.prepare()
  const id = randomUUID()
  await ledger.ask(id, stream.id, BigInt(run.runId), scope)
  return { id, stream, url, copy }
}

/** Checks the objects of the tables, and stores the document. */
async function storeSignOff(
  operation: SignOffOperation,
  { id, stream, url, copy: copyOperation }: SignOffRequest,
  answer: AnsweredSignOff,
  run: SignOffRun,
): Promise<SignOff> {
  await using to = await onSide('target', () => openExisting(operation.to))
  await using database = await to.ledger()
  await using from = await openSourceStore(url)
  const followed = await streamTableNames(stream.id, database)
  const planned = await planFollowed(copyOperation, { from, to, begun: database }, followed, run.interrupt.abort)
  const { tables } = await signOffScope(operation, planned, run.interrupt.abort)
  // A cutover is possible only for a stream of one table that reads the log of a slot.
  const hasCutover = followed.size === 1 && cdcOf(stream, undefined) === 'slot'
  const checks = [
    ...(await targetChecks(to, tables, run.interrupt.abort)).map((check) =>
      hasCutover && from.offers.switchSide !== undefined && to.offers.switchSide !== undefined
        ? withCutoverNote(check, from.identity === to.identity)
        : check,
    ),
    ...(await objectChecks(planned, tables, copyOperation, run.interrupt.abort)),
    ...(await keyChecks(to, targetsOf(tables), targetsOf(planned.tables), run.interrupt.abort)),
  ]
  // Group the checks by table.
  const order = [...new Set(checks.map(({ table = '' }) => table))]
  checks.sort((a, b) => order.indexOf(a.table ?? '') - order.indexOf(b.table ?? ''))
  const byTarget = new Map(tables.map(({ source, targetName }) => [tableText(source.table), tableText(targetName)]))
  const compared = {
    position: answer.position,
    begunAt: isoTime(answer.begunMs),
    endedAt: isoTime(answer.endedMs),
    pauseMs: answer.pauseMs,
    run: answer.run,
    tables: answer.tables.map((one) => ({ ...one, target: byTarget.get(one.table) ?? one.table })),
  }
  const reasons = [
    ...compared.tables.flatMap(({ table, equal, differing, unread }) =>
      equal ? [] : [`${table}: ${differing} rows differ${unread === '0' ? '' : `, ${unread} cannot be read`}`],
    ),
    ...checks.flatMap(({ outcome, check, table, found }) =>
      outcome === 'failed' ? [`${check}${table === undefined ? '' : ` of ${table}`}: ${found}`] : [],
    ),
  ]
  const document: SignOff = {
    format: 'sluice-sign-off',
    version: 1,
    id,
    verdict: reasons.length === 0 ? 'given' : 'refused',
    reasons,
    at: isoTime(run.clock.now()),
    by: operation.by ?? run.actor,
    user: run.actor,
    host: run.host,
    tool: run.tool,
    run: run.runId,
    source: { url: redactUrl(url), system: from.system, identity: from.identity },
    target: { url: redactUrl(operation.to), system: to.system, identity: to.identity },
    compared,
    others: planned.tables.filter((one) => !tables.includes(one)).map(({ source }) => tableText(source.table)),
    checks,
    history: await streamHistory(database, stream),
    leftBehind: [
      ...(await planLeftBehind({ ...planned, tables }, false, new Map(), run.interrupt.abort)),
      ...tables.flatMap(({ plan }) => (plan === null ? [] : chosenLosses(plan))),
    ],
  }
  await new SignOffLedger(database).close(document)
  return document
}

/**
 * Checks for objects that --with can create. A requested object must exist, unless the stream omits it.
 * @param tables that are signed off; their foreign keys may lead to any table of `planned`
 */
async function objectChecks(
  planned: PlannedCopy,
  tables: PlannedCopy['tables'],
  operation: CopyOperation,
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  const wanted = await planObjects(planned, operation.with ?? [], signal)
  const asked = await withoutFiringKeys(planned, wanted, () => checksKeys(operation, planned.to, signal))
  const all = await planObjects(planned, OBJECT_OPTIONS, signal)
  return tables.map(({ source, targetName }): SignOffCheck => {
    const name = tableText(source.table)
    const head = { check: 'made by --with', table: tableText(targetName) }
    const lacks = ({ status, widenedBy }: PlannedObject): boolean => status !== 'there' && widenedBy === undefined
    const listed = (some: readonly PlannedObject[]): string =>
      some.map(({ kind, name: one }) => `${kind} ${one}`).join(', ')
    const isLater = (one: PlannedObject): boolean => one.status === 'left' && one.later !== undefined
    const later = (asked.get(name) ?? []).filter(isLater)
    const missing = (asked.get(name) ?? []).filter((one) => lacks(one) && !isLater(one))
    const objects = all.get(name) ?? []
    const others = objects.filter(lacks)
    const there = objects.length - others.length
    const widened = objects.flatMap(({ kind, name: one, widenedBy }) =>
      widenedBy === undefined ? [] : [`, ${kind} ${one} with ${widenedBy.join(', ')} in it`],
    )
    if (missing.length > 0) {
      return {
        ...head,
        outcome: 'failed',
        found: `not in the target: ${listed(missing)}`,
        hint: 'run sluice follow STREAM: it creates what is missing, or reports why it cannot',
      }
    }
    if (others.length === 0)
      return { ...head, outcome: 'ok', found: `all ${there} of the source exist in the target${widened.join('')}` }
    const unasked = others.filter(({ kind, name: one }) => !later.some((key) => key.kind === kind && key.name === one))
    const found = [
      ...(later.length === 0 ? [] : [`the stream leaves out ${listed(later)}: its changes would fire them`]),
      ...(unasked.length === 0 ? [] : [`the options do not include ${listed(unasked)}`]),
    ]
    return { ...head, outcome: 'not checked', found: found.join('; ') }
  })
}

/**
 * A cutover advances sequences beyond the values in both tables. Until then the new table's sequences are behind the
 * source.
 */
function withCutoverNote(check: SignOffCheck, isOneDatabase: boolean): SignOffCheck {
  if (check.check !== 'sequences' || check.outcome !== 'failed') return check
  const { hint, ...rest } = check
  return {
    ...rest,
    outcome: 'not checked',
    found: `${check.found}; a cutover advances the sequences beyond both tables`,
    // Keep the hint between two databases: users may be moved to the other database without a cutover.
    ...(hint === undefined || isOneDatabase ? {} : { hint }),
  }
}

/** @throws SluiceError STREAM_HALTED if a stream is halted, has ended, or is not completely copied */
async function refuseUnready({ id, status, faults }: StreamRow, database: LedgerDatabase): Promise<void> {
  const [copying] = await database.all(
    "SELECT source_table FROM migration_stream_tables WHERE stream_id = ? AND state IN ('copying', 'resync')",
    [id],
  )
  if (status === 'ended') {
    throw await streamEnded(
      database,
      id,
      (newest) => `sluice sign-off ${newest}`,
      `sluice follow ${id} --report - shows earlier comparisons; sluice diff compares tables while no program writes them`,
    )
  }
  const why =
    status === 'halted'
      ? `stream ${id} is halted: ${faults[0]?.message ?? 'changes may be missing'}`
      : copying === undefined
        ? null
        : `${String(copying[0])} is still being copied`
  if (why === null) return
  throw new SluiceError('STREAM_HALTED', why, {
    reason: 'both sides cannot be compared as of one snapshot',
    hint: `run sluice follow ${id}, which resumes the stream, or reports why it cannot`,
  })
}

function targetsOf(tables: PlannedCopy['tables']): readonly TableName[] {
  return tables.flatMap(({ plan }) => (plan === null ? [] : [plan.target.table]))
}

async function targetChecks(
  to: CopyStore,
  tables: PlannedCopy['tables'],
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  const preflight = to.offers.operational
  const specs = tables.flatMap(({ plan }) => {
    if (plan === null) return []
    const sequences = plan.columns.flatMap(({ to: column, source: { sequence } }) =>
      sequence === undefined ? [] : [{ ...sequence, column }],
    )
    return [{ spec: plan.target, sequences }]
  })
  if (preflight === undefined)
    return specs.map(({ spec: { table } }): SignOffCheck => ({
      check: 'writes, pruning, indexes, constraints, sequences',
      table: tableText(table),
      outcome: 'not checked',
      found: `they are not checked in ${to.system}`,
    }))
  return await onSide('target', () => preflight.check(specs, signal))
}

const STATUS = { ok: 'ok', failed: 'fail', 'not checked': 'warn' } as const

async function reportChecks(document: SignOff, report: string | undefined, run: SignOffRun): Promise<Ending> {
  for (const { check, table, outcome, found, hint } of document.checks) {
    run.emit({
      type: 'check',
      area: table ?? document.target.url,
      check,
      status: STATUS[outcome],
      found: outcome === 'not checked' ? `not checked: ${found}` : found,
      ...(hint === undefined ? {} : { hint }),
    })
  }
  const { compared, checks, reasons, verdict, id, by, history } = document
  const rows = (compared?.tables ?? []).reduce((sum, one) => sum + BigInt(one.rows), 0n)
  run.emit({
    type: 'follow.signed',
    id,
    stream: history.stream,
    verdict,
    by,
    ...(compared === null ? {} : { position: compared.position }),
    tables: dec(compared?.tables.length ?? 0),
    rows: dec(rows),
    reasons,
  })
  const text = (file: string): string =>
    isJson(file) ? `${JSON.stringify(document, null, 2)}\n` : signOffText(document)
  const wrote = await writeReport(report, text, run.emit)
  const count = (outcome: SignOffCheck['outcome']): string =>
    dec(checks.filter((one) => one.outcome === outcome).length)
  const ending: Ending = {
    totals: {
      tables: dec(compared?.tables.length ?? 0),
      rows: dec(rows),
      ok: count('ok'),
      failed: count('failed'),
      notChecked: count('not checked'),
    },
    ...wrote,
  }
  if (verdict === 'given') return { ...ending, proof: `equal as of ${compared?.position ?? ''}` }
  const differs = compared?.tables.some(({ equal }) => !equal) === true
  return {
    ...ending,
    error: new SluiceError(differs ? 'DIFFERENCES' : 'NOT_SIGNED', `the sign-off is refused: ${reasons[0] ?? ''}`, {
      ...(reasons.length > 1
        ? { reason: `there ${reasons.length === 2 ? 'is one more reason' : `are ${reasons.length - 1} more reasons`}` }
        : {}),
      hint: differs
        ? `run sluice follow ${history.stream} --until-equal to name and repair rows that differ, then sign off again`
        : 'correct what each failed check reports, then sign off again',
    }),
  }
}
