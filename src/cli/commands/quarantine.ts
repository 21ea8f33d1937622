/** quarantine retry, and its older spelling retry-quarantine: rows that copies have quarantined. */
import { alertOf } from '../flags/alert-flags.ts'
import { given, givenText, type Arguments } from '../parse/arguments.ts'
import { requiredStore, givenStoreUrl } from '../flags/copy-stores.ts'
import { runIdArgument } from '../flags/run-id.ts'
import { operate, type Request, type RequestContext } from './command.ts'

function retry(args: Arguments, { env, defaults }: RequestContext): Request {
  const to = requiredStore('to', args, defaults, env)
  const from = givenStoreUrl('from', args, defaults, env)
  // The script's source variable is used only with the script's target. Otherwise the source is found in the ledger.
  const source = from?.origin === 'script' && to.origin !== 'script' ? null : from
  const scripted = [...(source === null ? [] : [source]), to].filter(({ origin }) => origin === 'script')
  return operate(
    {
      kind: 'retry-quarantine',
      ...given('runId', runIdArgument(args, 'run', 'RUN')),
      ...given('from', source?.url),
      to: to.url,
      ...given('table', givenText(args, 'table')),
      ...given('alert', alertOf('retry-quarantine', args)),
    },
    { printed: { add: scripted.map(({ printed }) => printed) } },
  )
}

export const commands = { quarantine: { request: retry }, 'retry-quarantine': { request: retry } }
