/** Lists objects with ListObjectsV2, page by page. */
import { s3Path } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { bodyText, type MutableRequestCounts, type S3Client } from './client.ts'
import { foreignAnswer } from './errors.ts'
import { elements, tagText } from './xml.ts'

export type ListedObject = {
  readonly key: string
  readonly size: number
  readonly modified: number
  readonly etag: string | null
}

export type ListPage = {
  /** Objects in byte order of their keys. */
  readonly objects: readonly ListedObject[]
  /** Decoded common prefixes, each with the delimiter at its end. */
  readonly prefixes: readonly string[]
  readonly next: string | null
}

export type ListRequest = {
  readonly bucket: string
  readonly prefix: string
  readonly delimiter?: string
  /** Lists only keys that are after this one in byte order. */
  readonly startAfter?: string
  readonly maxKeys?: number
  readonly signal: AbortSignal
  readonly counts: MutableRequestCounts
}

/** @throws SluiceError as `S3Client.request`; NO_SUCH_PATH if the bucket does not exist */
export async function* listPages(client: S3Client, request: ListRequest): AsyncGenerator<ListPage> {
  let token: string | null = null
  do {
    const page: ListPage = await onePage(client, request, token)
    yield page
    if (page.next !== null && page.next === token) {
      throw new SluiceError('SOURCE_IO', 'the listing does not advance: the store returned the same page twice', {
        where: s3Path(request.bucket, request.prefix),
      })
    }
    token = page.next
  } while (token !== null)
}

async function onePage(client: S3Client, request: ListRequest, token: string | null): Promise<ListPage> {
  const { bucket, prefix, delimiter, startAfter, maxKeys, signal, counts } = request
  const query = {
    'list-type': '2',
    prefix,
    'encoding-type': 'url',
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(startAfter === undefined || token !== null ? {} : { 'start-after': startAfter }),
    ...(maxKeys === undefined ? {} : { 'max-keys': String(maxKeys) }),
    ...(token === null ? {} : { 'continuation-token': token }),
  }
  const send = { kind: 'lists', bucket, key: '', query, signal, counts } as const
  return client.request(send, async (answer) => {
    const xml = await bodyText(answer)
    if (!xml.includes('<ListBucketResult')) throw foreignAnswer(s3Path(bucket, prefix), answer, xml)
    return parsePage(xml)
  })
}

function parsePage(xml: string): ListPage {
  if (!xml.includes('</ListBucketResult>')) throw new Error('the listing is cut short')
  // Some stores do not support encoding-type. The answer contains it if it was used.
  const decode = tagText(xml, 'EncodingType') === 'url' ? urlDecoded : (text: string) => text
  const objects: ListedObject[] = []
  for (const item of elements(xml, 'Contents')) {
    objects.push({
      key: decode(tagText(item, 'Key') ?? ''),
      size: Number(tagText(item, 'Size') ?? Number.NaN),
      modified: Date.parse(tagText(item, 'LastModified') ?? ''),
      etag: tagText(item, 'ETag'),
    })
  }
  const bad = objects.find(({ size, modified }) => !Number.isSafeInteger(size) || Number.isNaN(modified))
  if (bad !== undefined)
    throw new SluiceError('SOURCE_IO', 'the listing lacks the size or time of an object', { where: bad.key })
  const prefixes = [...elements(xml, 'CommonPrefixes')].map((item) => decode(tagText(item, 'Prefix') ?? ''))
  const truncated = tagText(xml, 'IsTruncated') === 'true'
  const next = truncated ? tagText(xml, 'NextContinuationToken') : null
  if (truncated && next === null)
    throw new SluiceError('SOURCE_IO', 'the listing is incomplete: the store did not return the token of the next page')
  return { objects, prefixes, next }
}

/** In these answers, S3 encodes a space as `+`. */
function urlDecoded(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}
