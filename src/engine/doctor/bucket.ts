/** A lake in a bucket: whose credentials are used, whether the store answers, and whether it lets us list. */
import { parseLakeUrl } from '../../model/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { openLakeStore } from '../registry.ts'
import { fail, failed, ok, timeText, type Examination, type Verdict } from './examination.ts'
import { examineNetwork } from './network.ts'

/** @returns whether the bucket can be listed */
export async function examineBucket(examination: Examination, area: string, path: string): Promise<boolean> {
  const env = process.env
  const [{ findCredentials }, { readProfile }, { endpointOf, objectUrl }] = await Promise.all([
    import('../../stores/s3/credentials.ts'),
    import('../../stores/s3/profile.ts'),
    import('../../stores/s3/endpoint.ts'),
  ])
  let address: URL | null = null
  const known = await examination.check(area, 'credentials', async () => {
    const profile = await readProfile(env)
    const endpoint = endpointOf(env, profile)
    const place = parseLakeUrl(path)
    if (place.kind === 's3') address = new URL(objectUrl(endpoint, endpoint.region, place.bucket, '', ''))
    const found = await findCredentials(env, profile, endpoint.region)
    return ok(found === null ? 'none: requests are anonymous (AWS_NO_SIGN_REQUEST)' : originOf(env, profile))
  })
  if (known.verdict?.status !== 'ok' || address === null) return false
  const { hostname, port, protocol } = address as URL
  const target = { kind: 'host', host: hostname, port: Number(port) || (protocol === 'http:' ? 80 : 443) } as const
  if (!(await examineNetwork(examination, area, target))) return false
  const listed = await examination.check(area, 'list', (signal) => listVerdict(path, signal))
  return listed.verdict?.status === 'ok'
}

/** Where the credentials came from, in the order in which they are looked for; never what they are. */
function originOf(
  env: Readonly<Record<string, string | undefined>>,
  { name, settings }: { readonly name: string; readonly settings: ReadonlyMap<string, string> },
): string {
  const isSet = (variable: string): boolean => (env[variable] ?? '').trim() !== ''
  if (isSet('AWS_ACCESS_KEY_ID')) return 'from the environment (AWS_ACCESS_KEY_ID)'
  if (settings.has('aws_access_key_id')) return `from the profile ${name}`
  if (isSet('AWS_WEB_IDENTITY_TOKEN_FILE') || settings.has('web_identity_token_file')) return 'from a web identity'
  const container = isSet('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI') || isSet('AWS_CONTAINER_CREDENTIALS_FULL_URI')
  return container ? 'from the agent of the container' : 'from the metadata service of the instance'
}

async function listVerdict(path: string, signal: AbortSignal): Promise<Verdict> {
  const start = performance.now()
  try {
    const store = await openLakeStore(path)
    const look = await store.look(store.root, signal)
    if (look.is === 'denied') throw look.error
    return ok(`answers in ${timeText(performance.now() - start)}`)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'SOURCE_DENIED') {
      return fail(error.message, {
        ...(error.reason === undefined ? {} : { cause: error.reason }),
        hint: error.hint ?? 'give these credentials s3:ListBucket on the bucket, and s3:GetObject on its objects',
      })
    }
    return failed(error)
  }
}
