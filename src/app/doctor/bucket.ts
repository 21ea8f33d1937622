/** Checks a lake in a bucket: credentials, connection and listing. */
import { SluiceError } from '../../shared/errors.ts'
import { openLakeStore } from '../../engine/run/registry.ts'
import { fail, failedVerdict, ok, type Verdict } from '../../model/run/verdict.ts'
import { tookText } from '../../shared/figures.ts'
import type { LakeDeclaration } from '../../stores/declaration.ts'
import type { PreflightTarget } from '../../stores/common/preflight-port.ts'
import type { Examination } from './examination.ts'
import { inspectNetwork } from './network.ts'

/** @returns true if the bucket can be listed */
export async function inspectBucket(
  examination: Examination,
  area: string,
  path: string,
  credentials: NonNullable<LakeDeclaration['credentials']>,
): Promise<boolean> {
  let target: PreflightTarget | null = null
  const known = await examination.check(area, 'credentials', async () => {
    const { found, target: named } = await credentials(path)
    target = named
    return ok(found)
  })
  if (known.verdict?.status !== 'ok' || target === null) return false
  if (!(await inspectNetwork(examination, area, target))) return false
  const listed = await examination.check(area, 'list', (signal) => listVerdict(path, signal))
  return listed.verdict?.status === 'ok'
}

async function listVerdict(path: string, signal: AbortSignal): Promise<Verdict> {
  const start = performance.now()
  try {
    const store = await openLakeStore(path)
    const look = await store.inspect(store.root, signal)
    if (look.is === 'denied') throw look.error
    return ok(`answers in ${tookText(performance.now() - start)}`)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'SOURCE_DENIED') {
      return fail(error.message, {
        ...(error.reason === undefined ? {} : { cause: error.reason }),
        hint: error.hint ?? 'give these credentials s3:ListBucket on the bucket, and s3:GetObject on its objects',
      })
    }
    return failedVerdict(error)
  }
}
