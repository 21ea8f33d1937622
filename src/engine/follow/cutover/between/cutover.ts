/**
 * One cutover between two databases, called by the stream's loop: closes the source to writers, lets the stream catch
 * up, compares the rows changed meanwhile on both sides, and opens the target to writers. An attempt that takes too
 * long opens the source again. Both sides are never open together: the ledger's row decides, and the target is opened
 * in the transaction that updates this row.
 */
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import type { FurthestValues, SwitchMark } from '../../../../model/follow/switch-port.ts'
import type { SideClosed } from '../../../../model/follow/switch-side-port.ts'
import type { AppliedState } from '../../progress/watch.ts'
import { CutoverWatch, type AttemptReady } from '../approach.ts'
import { PauseLimit } from '../pause-limit.ts'
import type { CreatedStream } from '../reverse-stream.ts'
import { hasSwitched } from '../cutover-row.ts'
import { changeOf } from './change-of.ts'
import { documentOf } from './document.ts'
import type { OwnedStream } from './ledger.ts'
import { attemptToken, isForeignToken, targetToken } from './token.ts'
import type { BetweenParts, BetweenFacts, DocumentFacts } from './cutover-facts.ts'

/** Longest wait for the source's lock in one attempt, ms: writers queue behind it. */
const LOCK_MS = 300

/** Share of the pause budget that closing the source may take. */
const CLOSE_SHARE = 0.6

/** Longest single wait for changes during an attempt, ms. */
const NEXT_MS = 20

/** Timeout for opening the source again, ms. */
const REOPEN_MS = 10_000

/** State of an attempt. */
type Attempt = {
  readonly token: string
  readonly started: DocumentFacts
  readonly held: OwnedStream
  readonly since: number
  readonly limit: PauseLimit
  /** The step in progress, for messages. */
  doing: string
  /** True if the ledger's status may be `proved`: then a program that resumes the cutover may open the target. */
  isProved: boolean
  /** Not null if the statement that opens the target may have been sent. */
  facts: BetweenFacts | null
}

type Marks = { readonly source: SwitchMark; readonly target: SwitchMark }

/** Why the source is opened again, and what follows: another attempt, or first a comparison of all rows. */
type ReopenReason = { readonly next: 'prove' | 'on'; readonly why: string }

const prove = (why: string): ReopenReason => ({ next: 'prove', why })

/** Result of a comparison that found the changed rows equal on both sides. */
type EqualRows = Pick<BetweenFacts, 'sequences' | 'reversePosition' | 'touched'>

type Found = EqualRows &
  Pick<BetweenFacts, 'fence' | 'sessionsEnded'> & {
    readonly position: LogPosition
    readonly proof: NonNullable<AppliedState['proof']>
  }

export class BetweenCutover extends CutoverWatch<BetweenFacts> {
  readonly #parts: BetweenParts
  #marks: Marks | null = null
  /** An attempt that could not be undone yet. */
  #notUndone: Attempt | null = null

  constructor(parts: BetweenParts) {
    const furthest = async (): Promise<FurthestValues> => {
      // All rows are equal now, and the source is open: counting does not prolong the pause.
      await parts.requireParents()
      return await parts.opening.furthest(parts.to, parts.signal)
    }
    super({ ...parts, furthest })
    this.#parts = parts
  }

  /** False while an attempt must still be undone; otherwise as in `CutoverWatch`. */
  override mustEnd(): boolean {
    return (this.end !== null || this.#notUndone === null) && super.mustEnd()
  }

  protected override async guard(): Promise<void> {
    const { opening, closing, refusalTexts, signal, from, to, id, steps, stream } = this.#parts
    // Repeat this on each call, because partitions may have been added.
    requireOwner(
      await opening.guard({ table: to, token: targetToken(id), ...refusalTexts.target }, steps.owned(stream), signal),
    )
    this.#marks = { source: await closing.mark(from, signal), target: await opening.mark(to, signal) }
  }

  override async between(now: AppliedState): Promise<'end' | 'prove' | 'on'> {
    if (this.#notUndone !== null) {
      if (await this.#reopenSource(this.#notUndone)) return 'end'
      this.#notUndone = null
    }
    return await super.between(now)
  }

  protected override async attempt(now: AppliedState, ready: AttemptReady): Promise<'end' | 'prove' | 'on'> {
    const { id, stream, steps, clock, signal, report } = this.#parts
    const token = attemptToken(id, now.fence, ++this.tried)
    const started = { closingMs: await steps.now(), earlier: this.approach.waits.all, token }
    const held = { stream, fence: now.fence }
    const state = { doing: 'the catch-up of the stream', isProved: false, facts: null }
    const one: Attempt = { token, started, held, since: clock.ticks(), limit: new PauseLimit(signal), ...state }
    let answer: ReopenReason | 'end'
    try {
      answer = await this.#runSteps(one, now, ready)
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (await this.#undo(one)) return 'end'
      if (error.code !== 'TARGET_BUSY') throw thrown
      return this.#scheduleNext(`${error.message}: try ${this.tried} is given up`)
    }
    if (answer === 'end') return 'end'
    if (await this.#undo(one)) return 'end'
    if (answer.next === 'on') return this.#scheduleNext(answer.why)
    report('again', `${answer.why}: all rows are compared once more, the source is open`)
    return 'prove'
  }

  /** Takes all steps while the source is closed. @returns 'end', or why the attempt must be undone */
  async #runSteps(one: Attempt, now: AppliedState, { made, furthest }: AttemptReady): Promise<'end' | ReopenReason> {
    const { changes, steps, id, document, report } = this.#parts
    const { proof } = now
    const marks = this.#marks
    if (proof === null || marks === null) return prove('the comparison no longer exists')
    const closed = await this.#close(one)
    if (!('fence' in closed)) return closed
    const fence = changes.text(closed.fence)
    const noted = { ...one.started, fence, sessionsEnded: closed.ended }
    requireOwner(await steps.closed(id, one.held, document(noted), fence))
    report('closed', `the source is closed to writers at log position ${fence}`)
    const left = this.#parts.pauseLimitMs - this.#elapsed(one)
    const equal = await one.limit.within(left, async () => {
      return (await this.#catchUp(one, now, closed.fence)) ?? (await this.#compare(one, marks, furthest))
    })
    if (equal === null) return this.#timeoutResult(one)
    if ('next' in equal) return equal
    const facts = this.#factsOf(one, {
      ...equal,
      fence,
      proof,
      sessionsEnded: closed.ended,
      position: now.applyWorkers.applied,
    })
    const { position, reversePosition, tries, pauseMs, rows, touched } = facts
    const proved = {
      ...noted,
      made,
      reversePosition,
      mark: marks.target.text,
      sourceMark: marks.source.text,
      proof: { position: proof.position, rows: String(rows), touched: String(touched) },
    }
    one.isProved = true
    const reported = { position, reversePosition, tries, pauseMs, provedRows: rows }
    requireOwner(await steps.proved(id, one.held, document(proved), reported))
    const goOn = facts.sequences.join(', ') || 'unchanged'
    report('proved', `${touched} changed rows are equal on both sides as of that position; sequences continue: ${goOn}`)
    return await this.#open(one, marks, facts, made)
  }

  /** @returns the closed source; or the reason if its locks were not available */
  async #close(one: Attempt): Promise<SideClosed | ReopenReason> {
    const {
      closing,
      from,
      steps,
      id,
      stream,
      refusalTexts,
      pauseLimitMs,
      signal,
      report,
      checks,
      document,
      endsSessions,
    } = this.#parts
    requireOwner(await steps.closing(id, one.held, document(one.started)))
    report('closing', `try ${this.tried}: the source is being closed to writers`)
    const budget = { lockTimeoutMs: LOCK_MS, pauseLimitMs: pauseLimitMs * CLOSE_SHARE, endsSessions }
    const cutovers = await steps.closings(stream)
    // Another program may have closed the source permanently while this one was frozen.
    const mayReplace = (token: string): boolean => !isForeignToken(token, cutovers, one.held.fence)
    const closed = await closing.close(
      { table: from, token: one.token, ...refusalTexts.source, ...budget, mayReplace },
      (session) => report('session ended', `${session} is terminated: it kept the source open for writing`),
      signal,
    )
    if (closed !== null && 'closedBy' in closed) throw leaseLost()
    if (closed !== null) {
      checks.set({ name: 'lock', state: 'ok', detail: `the source was closed in try ${this.tried}` })
      return closed
    }
    const { holding, prepared } = await closing.writers(from, signal)
    const [first, ...more] = [...prepared.map((gid) => `prepared transaction ${gid}`), ...holding]
    const others = more.length === 0 ? '' : `, and ${more.length} more`
    const who = first === undefined ? 'other sessions lock it' : `it is locked by ${first}${others}`
    checks.set({ name: 'lock', state: 'waiting', detail: `the source could not be closed: ${who}` })
    return { next: 'on', why: `the source could not be closed (${who}): try ${this.tried} is given up` }
  }

  async #catchUp(
    one: Attempt,
    { applyWorkers, stream }: AppliedState,
    fence: LogPosition,
  ): Promise<ReopenReason | null> {
    while (!(applyWorkers.isBoundary && applyWorkers.taken >= fence)) {
      if (this.#isLate(one)) return this.#timeoutResult(one)
      stream.ask()
      await applyWorkers.take(await stream.next(NEXT_MS))
    }
    await applyWorkers.commit()
    return null
  }

  /** Compares source and target in the rows that the stream changed, and advances the sequences of the target. */
  async #compare(one: Attempt, marks: Marks, furthest: FurthestValues): Promise<EqualRows | ReopenReason> {
    const { closing, opening, from, to, back, identity } = this.#parts
    const { signal } = one.limit
    const keys = this.touched.keys(0)
    if (keys === null) return prove('all rows were removed at once')
    one.doing = `comparing ${keys.length} changed rows`
    const change =
      (await changeOf(closing, from, marks.source, signal)) ?? (await changeOf(opening, to, marks.target, signal))
    if (change !== null) return prove(change)
    // While the lock was awaited, the source may have got an index or a constraint.
    await this.approach.findings()
    this.isComparing = true
    const [here, there] = await Promise.all([
      closing.digest(from, identity, keys, signal),
      opening.digest(to, identity, keys, signal),
    ])
    if (here.rows !== there.rows || here.sums !== there.sums)
      return prove(`${here.rows} of ${keys.length} changed rows in the source and ${there.rows} in the target differ`)
    if (this.#isLate(one)) return this.#timeoutResult(one)
    this.isComparing = false
    const positions = await closing.positions(from, signal)
    const sequences = await opening.advance(to, positions, [furthest, there.furthest], signal)
    // The target is closed: from this position on, its log has no changes that the earlier stream applied.
    const reversePosition = back.text(await back.fence(signal))
    if (this.#isLate(one)) return this.#timeoutResult(one)
    return { sequences, reversePosition, touched: BigInt(keys.length) }
  }

  #factsOf(one: Attempt, { proof, position, ...found }: Found): BetweenFacts {
    const { waits } = this.approach
    const pauseMs = Math.round(this.#elapsed(one))
    return {
      ...found,
      position: this.#parts.changes.text(position),
      pauseMs: Math.max(waits.longestMs, pauseMs),
      waitedMs: waits.totalMs + pauseMs,
      isLeast: waits.all.isLeast,
      tries: waits.all.tries + 1,
      rows: proof.compared.reduce((sum, each) => sum + each.rows, 0n),
    }
  }

  async #open(one: Attempt, marks: Marks, facts: BetweenFacts, made: CreatedStream): Promise<'end' | ReopenReason> {
    const { closing, opening, from, to, steps, id, signal, report } = this.#parts
    // An operator may have opened the source manually.
    if (!(await closing.isClosed(from, one.token, signal))) return prove('the source is no longer closed')
    const fault = await this.#parts.reverseStreamFault(made)
    if (fault !== null) return { next: 'on', why: `${fault}: try ${this.tried} is given up` }
    // No lock keeps the source from being altered: inspect it last.
    const change = await changeOf(closing, from, marks.source, signal)
    if (change !== null) return prove(change)
    one.facts = facts
    const outcome = await opening.open(to, marks.target, steps.opening(id, one.held), signal)
    if (outcome !== 'opened') one.facts = null
    if (outcome === 'fenced') throw leaseLost()
    if (outcome !== 'opened') return prove(outcome.changed.join('; '))
    const ms = this.#elapsed(one)
    this.approach.waits.add(ms)
    this.switched(facts)
    report('opened', `the target is open, ${Math.round(ms)} ms after the first try to lock the source`)
    return 'end'
  }

  #elapsed({ since }: Attempt): number {
    return this.#parts.clock.ticks() - since
  }

  #isLate(one: Attempt): boolean {
    return this.#elapsed(one) > this.#parts.pauseLimitMs
  }

  /** Result of an attempt that has exceeded its time. */
  #timeoutResult(one: Attempt): ReopenReason {
    const { pauseLimitMs, checks } = this.#parts
    const why = `${one.doing} took longer than --pause-budget ${pauseLimitMs} ms (${Math.round(this.#elapsed(one))} ms)`
    checks.set({ name: 'pause', state: 'waiting', detail: why })
    return { next: 'on', why: `${why}: try ${this.tried} is given up` }
  }

  /** Undoes an attempt, then waits for its work that did not end in time. @returns true if the cutover has happened */
  async #undo(one: Attempt): Promise<boolean> {
    this.#notUndone = one
    if (await this.#reopenSource(one)) return true
    this.#notUndone = null
    await one.limit.settled()
    return false
  }

  /**
   * Opens the source again, unless the target is open by now.
   * @returns true if the cutover has happened
   * @throws SluiceError if it is unknown which side is open: the source stays as it is
   */
  async #reopenSource(one: Attempt): Promise<boolean> {
    const { steps, id, closing, from, clock } = this.#parts
    // Another program may open the target only once the ledger says `proved`. Before that, open the source at once:
    // `release` needs the token of this try, and `close` never replaces the token of a newer program.
    if (!one.isProved) await closing.release(from, one.token, AbortSignal.timeout(REOPEN_MS))
    const status = await steps.withdraw(id, one.held, 'preparing')
    if (hasSwitched(status)) {
      // The reply to the statement that opens the target was lost, or another program has made the cutover.
      const standing = await steps.stateOf(id)
      if (one.facts === null || documentOf(standing?.document ?? null).token !== one.token) throw leaseLost()
      this.approach.waits.add(clock.ticks() - one.since)
      this.switched(one.facts)
      return true
    }
    // Another program continues the same step: it closed the source under another token.
    if (status !== 'preparing' && status !== 'given up') throw leaseLost()
    await closing.release(from, one.token, AbortSignal.timeout(REOPEN_MS))
    this.approach.waits.add(clock.ticks() - one.since)
    return false
  }

  #scheduleNext(why: string): 'on' {
    this.#parts.report(
      'released',
      `${why}; the source is open, the next try begins in ${this.approach.scheduleNext()} ms`,
    )
    return 'on'
  }
}

function requireOwner(isHeld: boolean): void {
  if (!isHeld) throw leaseLost()
}

function leaseLost(): SluiceError {
  return new SluiceError('LEASE_LOST', 'another program continues this stream or this cutover', {
    reason: 'this program has stopped, and opens neither the source nor the target',
    hint: 'end one of the two programs',
  })
}
