import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import { codeOfStatus, type HttpClient, parseReply } from '../http.ts'

export interface SecretManager {
  /** The newest enabled version, or the one of `version`. Throws IntegrationError; its text never holds the value. */
  read(name: string, version: string): Promise<string>
}

export interface SecretManagerParts {
  /** Of Google's Secret Manager. */
  http: HttpClient
  /** Of the metadata server of the machine, which gives access tokens to whoever runs on it. */
  metadata: HttpClient
  project: string
}

const Token = z.object({ access_token: z.string().min(1) })
const Version = z.object({ payload: z.object({ data: z.base64() }) })
const TOKEN_PATH = '/computeMetadata/v1/instance/service-accounts/default/token'

/** Google Secret Manager over REST, as the service account of the machine. */
export function secretManager({ http, metadata, project }: SecretManagerParts): SecretManager {
  let token: Promise<string> | undefined
  return {
    read: async (name, version) => {
      token ??= accessToken(metadata)
      const path = `/v1/projects/${encodeURIComponent(project)}/secrets/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}:access`
      const reply = await http.exchange({ method: 'GET', path, headers: { authorization: `Bearer ${await token}` } })
      const code = codeOfStatus(reply.status, reply.headers)
      if (code) throw new IntegrationError(code, { httpStatus: reply.status, summary: `Secret Manager answers ${reply.status}` })
      return textOf(parseReply(Version, reply).payload.data)
    },
  }
}

async function accessToken(metadata: HttpClient): Promise<string> {
  const reply = await metadata.exchange({ method: 'GET', path: TOKEN_PATH, headers: { 'metadata-flavor': 'Google' } })
  const code = codeOfStatus(reply.status, reply.headers)
  if (code) throw new IntegrationError(code, { httpStatus: reply.status, summary: `the metadata server gives no token (${reply.status})` })
  return parseReply(Token, reply).access_token
}

// `echo secret | gcloud secrets create` leaves a line end that nobody means.
function textOf(base64: string): string {
  return Buffer.from(base64, 'base64')
    .toString('utf8')
    .replace(/\r?\n$/, '')
}
