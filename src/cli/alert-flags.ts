/** `--alert 'lag>30s,wal>10GB,stalled>60s,rate<1000,error,slot-lost'`. */
import type { AlertCondition, AlertWish } from '../model/alert.ts'
import { SluiceError } from '../shared/errors.ts'
import { flag, given, optionalText, type Arguments } from './arguments.ts'
import { parseByteSize } from './byte-size.ts'
import { parseDuration } from './duration.ts'

export const ALERT_FLAGS: readonly string[] = ['alert', 'alert-command', 'alert-exit']

const HINT = 'write it like lag>30s,wal>10GB,stalled>60s,rate<1000,error,slot-lost'

/** @throws SluiceError BAD_FLAG */
export function readAlert(args: Arguments): AlertWish | undefined {
  const text = optionalText(args, 'alert')
  const command = optionalText(args, 'alert-command')
  const exit = flag(args, 'alert-exit')
  if (text === undefined) {
    if (command === undefined && !exit) return undefined
    throw new SluiceError('BAD_FLAG', `--alert-${exit ? 'exit' : 'command'} goes with --alert`, { hint: HINT })
  }
  const conditions = text.split(',').map((one) => conditionOf(one.trim()))
  const twice = conditions.find(({ cause }, at) => conditions.findIndex((other) => other.cause === cause) !== at)
  if (twice !== undefined) throw new SluiceError('BAD_FLAG', `--alert names ${twice.cause} twice`, { hint: HINT })
  return { conditions, ...given('command', command), ...(exit ? { exit } : {}) }
}

function conditionOf(text: string): AlertCondition {
  if (text === 'error' || text === 'slot-lost') return { cause: text }
  const [, cause, sign, value = ''] = /^(lag|wal|stalled|rate)\s*([<>])\s*(.+)$/.exec(text) ?? []
  if (cause === 'lag' && sign === '>') return { cause, limit: parseDuration('--alert lag', value) }
  if (cause === 'stalled' && sign === '>') return { cause, limit: parseDuration('--alert stalled', value) }
  if (cause === 'wal' && sign === '>') return { cause, limit: parseByteSize('--alert wal', value, 1) }
  if (cause === 'rate' && sign === '<' && /^\d{1,9}$/.test(value)) return { cause, limit: Number(value) }
  throw new SluiceError('BAD_FLAG', `--alert ${text} is no condition`, { hint: HINT })
}
