/** quarantine, and its older spelling retry-quarantine: rows that copies have set aside. */
import { SluiceError } from '../../shared/errors.ts'
import { count, given, optionalText, text } from '../arguments.ts'
import type { Arguments } from '../arguments.ts'
import { closest } from '../closest.ts'
import { chooseEnd, optionalEnd } from '../copy-ends.ts'
import { runIdOf } from '../run-id.ts'
import { operate } from './command.ts'
import type { Command, Request, RequestContext } from './command.ts'

const ACTIONS = ['list', 'retry'] as const

const retryQuarantine: Command = { request: retry }

const quarantine: Command = {
  request: (args, context) => {
    const word = text(args, 'action')
    const action = ACTIONS.find((known) => known === word)
    if (action === 'retry') return retry(args, context)
    if (action === 'list') return listed(args, context)
    const meant = closest(word, ACTIONS)
    throw new SluiceError('BAD_FLAG', `quarantine has no action ${word}${meant === null ? '' : ` (${meant}?)`}`, {
      hint: `it takes ${ACTIONS.join(' and ')}`,
    })
  },
}

function listed(args: Arguments, { env, defaults }: RequestContext): Request {
  const to = chooseEnd('to', args, defaults, env)
  return operate(
    {
      kind: 'quarantine-list',
      to: to.url,
      limit: count(args, 'limit', 0),
      ...given('runId', runIdOf(args, 'run', 'RUN')),
      ...given('table', optionalText(args, 'table')),
    },
    { printed: { add: to.origin === 'script' ? [to.printed] : [] } },
  )
}

function retry(args: Arguments, { env, defaults }: RequestContext): Request {
  const to = chooseEnd('to', args, defaults, env)
  const from = optionalEnd('from', args, defaults, env)
  // A variable alone does not say that these rows came from there: the ledger knows. With the script's target it does.
  const source = from?.origin === 'script' && to.origin !== 'script' ? null : from
  const scripted = [...(source === null ? [] : [source]), to].filter(({ origin }) => origin === 'script')
  return operate(
    {
      kind: 'retry-quarantine',
      ...given('runId', runIdOf(args, 'run', 'RUN')),
      ...given('from', source?.url),
      to: to.url,
      ...given('table', optionalText(args, 'table')),
    },
    { printed: { add: scripted.map(({ printed }) => printed) } },
  )
}

export const commands = { quarantine, 'retry-quarantine': retryQuarantine }
