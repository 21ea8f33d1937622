/** `--alert 'lag>30s,failed'`, `--alert-command` and `--alert-exit`. */
import {
  ALERT_CAUSES,
  CAUSE_FORMS,
  type AlertCause,
  type AlertCondition,
  type AlertOptions,
} from '../../model/run/alert.ts'
import { commandNameOf, declarationOf } from '../../app/operations/facts.ts'
import type { OperationKind } from '../../app/operations/list.ts'
import { suggested } from '../../shared/closest.ts'
import { SluiceError } from '../../shared/errors.ts'
import { givenFlag, given, givenText, type Arguments } from '../parse/arguments.ts'
import { parseByteSize } from './byte-size.ts'
import { parseDuration } from './duration.ts'

/** A command and the causes that it can raise. Other causes are refused: such an alert would never be raised. */
export type AlertSource = {
  /** The command as typed: `archive verify`. */
  readonly command: string
  readonly causes: readonly AlertCause[]
  /** What a cause that is not in `causes` requires, such as `requires --follow`; null if it is never raised. */
  readonly others?: (cause: AlertCause) => string | null
}

/** Alert options of an operation, by its declared causes. @throws SluiceError BAD_FLAG */
export function alertOf(kind: OperationKind, args: Arguments): AlertOptions | undefined {
  const { alerts, actions } = declarationOf(kind)
  const action = actions === undefined ? undefined : givenText(args, 'action')
  const command = commandNameOf(kind)
  return readAlert(args, {
    command: action === undefined ? command : `${command} ${action}`,
    causes: alerts?.causes ?? [],
  })
}

/** @throws SluiceError BAD_FLAG */
export function readAlert(args: Arguments, alerting: AlertSource): AlertOptions | undefined {
  const text = givenText(args, 'alert')
  const command = givenText(args, 'alert-command')
  const exit = givenFlag(args, 'alert-exit')
  const hint = `write it like ${formsText(alerting.causes)}`
  if (text === undefined) {
    if (command === undefined && !exit) return undefined
    throw new SluiceError('BAD_FLAG', `--alert-${exit ? 'exit' : 'command'} requires --alert`, { hint })
  }
  const conditions = text.split(',').map((one) => conditionOf(one.trim(), alerting))
  const twice = conditions.find(({ cause }, at) => conditions.findIndex((other) => other.cause === cause) !== at)
  if (twice !== undefined)
    throw new SluiceError('BAD_FLAG', `--alert names ${twice.cause} twice`, { hint: `name ${twice.cause} once` })
  return { conditions, ...given('command', command), ...(exit ? { exit } : {}) }
}

/**
 * The conditions that a command can raise, from a list that is set per table and not per command.
 * @param text list of conditions; unknown words stay, so that they are reported later
 */
export function conditionsFor(text: string, causes: readonly AlertCause[]): string {
  const parts = text.split(',').map((one) => one.trim())
  return parts.filter((one) => !isCause(causeWord(one)) || causes.some((cause) => cause === causeWord(one))).join(',')
}

function conditionOf(text: string, { command, causes, others }: AlertSource): AlertCondition {
  const hint = `${command} can alert on ${formsText(causes)}`
  const word = causeWord(text)
  if (!isCause(word)) {
    throw new SluiceError('BAD_FLAG', `--alert ${text} is not a condition${suggested(word, causes)}`, {
      hint,
    })
  }
  if (!causes.includes(word)) {
    const why = others?.(word) ?? `is not a cause of ${command}: such an alert would never be sent`
    throw new SluiceError('BAD_FLAG', `--alert ${word} ${why}`, { hint })
  }
  const condition = conditionWithLimit(word, text.slice(word.length).trim())
  if (condition !== null) return condition
  throw new SluiceError('BAD_FLAG', `--alert ${text} is not a condition`, {
    hint: `write it like ${CAUSE_FORMS[word].form}`,
  })
}

/** @param rest text after the word @returns null if the text does not fit the cause */
function conditionWithLimit(cause: AlertCause, rest: string): AlertCondition | null {
  const [, sign, value = ''] = /^([<>])\s*(.+)$/.exec(rest) ?? []
  switch (cause) {
    case 'lag':
    case 'stalled':
    case 'stuck':
      return sign === '>' ? { cause, limit: parseDuration(`--alert ${cause}`, value) } : null
    case 'wal':
      return sign === '>' ? { cause, limit: parseByteSize('--alert wal', value, 1) } : null
    case 'rate':
      return sign === '<' && /^\d{1,9}$/.test(value) ? { cause, limit: Number(value) } : null
    default:
      return rest === '' ? { cause } : null
  }
}

function causeWord(text: string): string {
  return /^[^<>\s]*/.exec(text)?.[0] ?? ''
}

function isCause(word: string): word is AlertCause {
  return ALERT_CAUSES.some((cause) => cause === word)
}

function formsText(causes: readonly AlertCause[]): string {
  return causes.map((cause) => CAUSE_FORMS[cause].form).join(',')
}
