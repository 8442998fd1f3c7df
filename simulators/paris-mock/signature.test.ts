import { describe, expect, test } from 'vitest'
import { standardSecretFrom } from './settings.ts'
import { parisSignature, standardSignature } from './signature.ts'

describe('signatures', () => {
  test('X-Paris-Signature meets the vector of the contract', () => {
    const body = '{"event_id":"e-1","external_ref":"odoo-42","order_id":"p-1","source":"paris","status":"delivered"}'
    const expected = 'c3610a943070d33a1c2ea5f2afe0eab5e21a8790f99736c33e8b200f9b493ace'
    expect(parisSignature('paris-test-secret', body)).toBe(expected)
  })

  test('webhook-signature meets the vector of Standard Webhooks, one signature a secret', () => {
    const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body: '{"test": 2432232314}' }
    const expected = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    expect(standardSignature(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], message)).toBe(expected)
    const both = standardSignature(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_AAAA'], message)
    expect(both).toMatch(/^v1,g0hM9S\S+ v1,\S+$/)
  })

  test('a plain secret becomes a whsec_ one over its bytes, a whsec_ one stays', () => {
    expect(standardSecretFrom('paris-test-secret')).toBe(`whsec_${Buffer.from('paris-test-secret').toString('base64')}`)
    expect(standardSecretFrom('whsec_AAAA')).toBe('whsec_AAAA')
  })
})
