/** `schedule add`: compares the confirmation with a dry run, and records the identities of the stores. */
import { takesFrom } from '../../../../model/share/distributed.ts'
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { ScheduleSpec } from '../../../../model/share/schedule-port.ts'
import { openQueue, programMark } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import { unknownSchedule } from '../../schedules/change.ts'
import { parseRule, ruleWords } from '../../schedules/rule-text.ts'
import { clockworkFrom } from '../../schedules/scheduler.ts'
import { reportTimes } from '../../schedules/report-schedules.ts'
import type { scheduleAdd, ScheduleAddOperation } from './declaration.ts'

type Run = RunOf<typeof scheduleAdd>

/** Number of future times that are shown. */
const SHOWN = 10

/**
 * @throws SluiceError BAD_FLAG if the command cannot be scheduled, MISSING_CONFIRM for a destructive command,
 * CONNECT_FAILED …
 */
export async function performScheduleAdd(operation: ScheduleAddOperation, run: Run): Promise<Ending> {
  const { connect, name, words, commandLine, catchUp, slots, queue: queueName = null, replace } = operation
  const rule = parseRule(operation.rule)
  const known = operation.names.map((one, at) => ({ name: one, url: operation.stores[at] ?? '' }))
  if (run.workOf === undefined) throw new Error('a part of a run adds no schedule')
  const work = await run.workOf(operation.scheduled, known)
  const file = slots > 1 ? await work.writtenFile() : null
  if (file !== null) {
    throw new SluiceError('BAD_FLAG', `several workers cannot write to ${file}: a file has one writer at a time`, {
      hint: 'remove --tasks',
    })
  }
  // Check the confirmation first: without it, no marker file must be created.
  const mark = await work.confirmedMark()
  const stores = await work.identities((message) => run.emit({ type: 'log', level: 'warn', message }))
  await using queue = await openQueue(connect, 'work')
  const book = queue.schedules
  const spec: ScheduleSpec = {
    name,
    words,
    commandLine,
    rule: operation.rule,
    catchUp,
    stores,
    confirmed: mark === null ? null : work.operation,
    mark,
    slots,
    queue: queueName,
    actor: run.actor,
    host: run.host,
  }
  const now = await book.now()
  if (!(await book.add(spec, clockworkFrom(rule, now), replace))) throw replace ? unknownSchedule(name) : taken(name)
  const waits = { program: programMark(run.tool), queue: queueName }
  const workers = (await queue.workers()).filter((one) => one.state === 'lives' && takesFrom(one, waits))
  const notes = [
    `it runs ${ruleWords(rule)}`,
    ...(mark === null ? [] : ['each run destroys data: the schedule becomes void when its plan changes']),
    ...(workers.length > 0
      ? []
      : ['no worker of this version takes runs from that queue now: start one with sluice worker']),
  ]
  run.emit({ type: 'schedule.changed', schedule: name, change: replace ? 'replaced' : 'added', notes })
  reportTimes(name, rule, { after: now, count: SHOWN }, run.emit)
  return { totals: { schedules: dec(1) } }
}

function taken(name: string): SluiceError {
  return new SluiceError('BAD_FLAG', `schedule ${name} already exists`, {
    hint: 'give another name, or --replace, which keeps its history',
  })
}
