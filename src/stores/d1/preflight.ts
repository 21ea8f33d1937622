/** Doctor's checks of a D1 database as a target: whether it answers, and gives the guarantees that copies need. */
import { fail, ok } from '../../model/run/verdict.ts'
import { countText, tookText } from '../../shared/figures.ts'
import type { Checks } from '../common/preflight-port.ts'
import { openD1Copy, type D1CopyStore } from './copy/index.ts'
import { d1Settings } from './settings.ts'

const AREA = 'database'
const BROKEN =
  'do not copy to this database: copies depend on this; please report it with the date and the kind of the database'

export async function inspectD1(checks: Checks, url: string): Promise<void> {
  const address = await checks.check(AREA, 'address', async () => ok(d1Settings(url, process.env).label))
  if (address.verdict?.status !== 'ok') return
  const opened: { store: D1CopyStore | null } = { store: null }
  await checks.check(AREA, 'login', async (signal) => {
    const begun = performance.now()
    const store = await openD1Copy(url, { signal })
    if (signal.aborted) await store[Symbol.asyncDispose]()
    else opened.store = store
    return ok(`the token is valid, and a query was answered in ${tookText(performance.now() - begun)}`)
  })
  const { store } = opened
  if (store === null) return
  try {
    await checks.check(AREA, 'copies', async (signal) => {
      const { atomic, functions } = await store.probe(signal)
      if (!atomic) return fail('a failed request is partly applied', { hint: BROKEN })
      if (!functions)
        return fail('a test of json_each, ->> and unhex failed: sluice writes rows with these functions', {
          hint: BROKEN,
        })
      return ok('a request is applied completely or not at all, and rows can be written')
    })
    await checks.check(AREA, 'tables', async (signal) => {
      const tables = await store.tables('*', signal)
      return ok(`${countText(tables.length, 'table')}; this check took ${store.usage.requests} requests`)
    })
    const { requests } = store.can
    if (requests !== undefined) {
      await checks.check(AREA, 'requests', async () =>
        ok(
          `the API accepts ${requests.most} requests in ${requests.seconds / 60} minutes from one token; a copy stays below that`,
        ),
      )
    }
  } finally {
    await store[Symbol.asyncDispose]()
  }
}
