"""first tables"""

from alembic import op
import sqlalchemy as sa

from patrol.models.base import Moment


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('anchor',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('subject', sa.String(length=48), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('head', sa.String(length=64), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.Column('place', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_anchor'))
    )
    with op.batch_alter_table('anchor', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_anchor_subject'), ['subject'], unique=False)

    op.create_table('answer',
    sa.Column('client_key', sa.String(length=64), nullable=False),
    sa.Column('body_digest', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('body', sa.JSON(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('client_key', name=op.f('pk_answer'))
    )
    with op.batch_alter_table('answer', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_answer_at'), ['at'], unique=False)

    op.create_table('beat',
    sa.Column('worker', sa.String(length=64), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('worker', name=op.f('pk_beat'))
    )
    op.create_table('calendar_day',
    sa.Column('on', sa.Date(), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('on', name=op.f('pk_calendar_day'))
    )
    op.create_table('calendar_kept',
    sa.Column('version', sa.String(length=64), nullable=False),
    sa.Column('days', sa.JSON(), nullable=False),
    sa.Column('confirmed', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('version', name=op.f('pk_calendar_kept'))
    )
    op.create_table('calendar_year',
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('confirmed', sa.Boolean(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('year', name=op.f('pk_calendar_year'))
    )
    op.create_table('chain',
    sa.Column('subject', sa.String(length=48), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('head', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('subject', name=op.f('pk_chain'))
    )
    op.create_table('channel',
    sa.Column('group_name', sa.String(length=64), nullable=False),
    sa.Column('rests_until', Moment(), nullable=True),
    sa.Column('stopped', sa.Boolean(), nullable=False),
    sa.Column('why', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('group_name', name=op.f('pk_channel'))
    )
    op.create_table('counter',
    sa.Column('series', sa.String(length=32), nullable=False),
    sa.Column('last', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('series', name=op.f('pk_counter'))
    )
    op.create_table('person',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person')),
    sa.UniqueConstraint('name', name=op.f('uq_person_name'))
    )
    op.create_table('send',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('group_name', sa.String(length=64), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_send'))
    )
    with op.batch_alter_table('send', schema=None) as batch_op:
        batch_op.create_index('ix_send_group_at', ['group_name', 'at'], unique=False)

    op.create_table('account',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('login', sa.String(length=64), nullable=False),
    sa.Column('password_hash', sa.String(length=255), nullable=False),
    sa.Column('roles', sa.JSON(), nullable=False),
    sa.Column('unit', sa.String(length=32), nullable=True),
    sa.Column('grids', sa.JSON(), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('wait_until', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_account_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('login', name=op.f('uq_account_login'))
    )
    op.create_table('delegation',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('to_id', sa.Integer(), nullable=False),
    sa.Column('by_id', sa.Integer(), nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('to_on', sa.Date(), nullable=False),
    sa.CheckConstraint('to_id <> by_id', name=op.f('ck_delegation_not_oneself')),
    sa.ForeignKeyConstraint(['by_id'], ['person.id'], name=op.f('fk_delegation_by_id')),
    sa.ForeignKeyConstraint(['to_id'], ['person.id'], name=op.f('fk_delegation_to_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delegation'))
    )
    op.create_table('duty',
    sa.Column('on', sa.Date(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_duty_person_id')),
    sa.PrimaryKeyConstraint('on', 'person_id', name=op.f('pk_duty'))
    )
    op.create_table('issue',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('lon', sa.Double(), nullable=True),
    sa.Column('lat', sa.Double(), nullable=True),
    sa.Column('accuracy_m', sa.Double(), nullable=True),
    sa.Column('position_method', sa.String(length=32), nullable=True),
    sa.Column('position_confirmed', sa.Boolean(), nullable=False),
    sa.Column('place_words', sa.String(), nullable=False),
    sa.Column('outline', sa.JSON(), nullable=True),
    sa.Column('area_m2', sa.Double(), nullable=True),
    sa.Column('chainage_m', sa.Double(), nullable=True),
    sa.Column('bank', sa.String(length=8), nullable=True),
    sa.Column('cell', sa.BigInteger(), nullable=True),
    sa.Column('grid', sa.String(length=32), nullable=True),
    sa.Column('lead_unit', sa.String(length=32), nullable=True),
    sa.Column('assisting', sa.JSON(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('returns', sa.Integer(), nullable=False),
    sa.Column('extensions', sa.Integer(), nullable=False),
    sa.Column('half1', sa.String(length=8), nullable=True),
    sa.Column('half2', sa.Boolean(), nullable=False),
    sa.Column('suspended_until', Moment(), nullable=True),
    sa.Column('flags', sa.JSON(), nullable=False),
    sa.Column('tips_only', sa.Boolean(), nullable=False),
    sa.Column('assigner_id', sa.Integer(), nullable=True),
    sa.Column('checker_id', sa.Integer(), nullable=True),
    sa.Column('confirmer_id', sa.Integer(), nullable=True),
    sa.Column('submitter_id', sa.Integer(), nullable=True),
    sa.Column('verifier_id', sa.Integer(), nullable=True),
    sa.Column('closer_id', sa.Integer(), nullable=True),
    sa.Column('acceptor_id', sa.Integer(), nullable=True),
    sa.Column('parent_id', sa.Integer(), nullable=True),
    sa.Column('origin_id', sa.Integer(), nullable=True),
    sa.Column('origin_how', sa.String(length=16), nullable=True),
    sa.Column('merged_from', sa.String(length=16), nullable=True),
    sa.Column('expected_photos', sa.Integer(), nullable=False),
    sa.Column('found_at', Moment(), nullable=False),
    sa.Column('opened_at', Moment(), nullable=False),
    sa.Column('changed_at', Moment(), nullable=False),
    sa.Column('step_at', Moment(), nullable=False),
    sa.Column('assigned_at', Moment(), nullable=True),
    sa.Column('after_at', Moment(), nullable=True),
    sa.Column('ended_at', Moment(), nullable=True),
    sa.Column('trail_seq', sa.Integer(), nullable=False),
    sa.Column('trail_head', sa.String(length=64), nullable=False),
    sa.CheckConstraint("state <> 'closed' OR closer_id IS NULL OR verifier_id IS NULL OR closer_id <> verifier_id", name=op.f('ck_issue_four_eyes')),
    sa.ForeignKeyConstraint(['acceptor_id'], ['person.id'], name=op.f('fk_issue_acceptor_id')),
    sa.ForeignKeyConstraint(['assigner_id'], ['person.id'], name=op.f('fk_issue_assigner_id')),
    sa.ForeignKeyConstraint(['checker_id'], ['person.id'], name=op.f('fk_issue_checker_id')),
    sa.ForeignKeyConstraint(['closer_id'], ['person.id'], name=op.f('fk_issue_closer_id')),
    sa.ForeignKeyConstraint(['confirmer_id'], ['person.id'], name=op.f('fk_issue_confirmer_id')),
    sa.ForeignKeyConstraint(['origin_id'], ['issue.id'], name=op.f('fk_issue_origin_id')),
    sa.ForeignKeyConstraint(['parent_id'], ['issue.id'], name=op.f('fk_issue_parent_id')),
    sa.ForeignKeyConstraint(['submitter_id'], ['person.id'], name=op.f('fk_issue_submitter_id')),
    sa.ForeignKeyConstraint(['verifier_id'], ['person.id'], name=op.f('fk_issue_verifier_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_issue')),
    sa.UniqueConstraint('number', name=op.f('uq_issue_number'))
    )
    with op.batch_alter_table('issue', schema=None) as batch_op:
        batch_op.create_index('ix_issue_changed', ['changed_at'], unique=False)
        batch_op.create_index('ix_issue_near', ['kind', 'cell'], unique=False)
        batch_op.create_index('ix_issue_state_changed', ['state', 'changed_at'], unique=False)
        batch_op.create_index('ix_issue_unit', ['lead_unit', 'state'], unique=False)

    op.create_table('token',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('unit', sa.String(length=32), nullable=True),
    sa.Column('grids', sa.JSON(), nullable=True),
    sa.Column('made_at', Moment(), nullable=False),
    sa.Column('revoked_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_token_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_token')),
    sa.UniqueConstraint('digest', name=op.f('uq_token_digest'))
    )
    op.create_table('sighting',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('why', sa.String(length=32), nullable=False),
    sa.Column('issue_id', sa.Integer(), nullable=True),
    sa.Column('relapse_of', sa.Integer(), nullable=True),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('reviewer_id', sa.Integer(), nullable=True),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('place_words', sa.String(), nullable=False),
    sa.Column('lon', sa.Double(), nullable=True),
    sa.Column('lat', sa.Double(), nullable=True),
    sa.Column('accuracy_m', sa.Double(), nullable=True),
    sa.Column('given', sa.JSON(), nullable=True),
    sa.Column('position_method', sa.String(length=32), nullable=True),
    sa.Column('ellipse', sa.JSON(), nullable=True),
    sa.Column('outline', sa.JSON(), nullable=True),
    sa.Column('area_m2', sa.Double(), nullable=True),
    sa.Column('chainage_m', sa.Double(), nullable=True),
    sa.Column('bank', sa.String(length=8), nullable=True),
    sa.Column('grid', sa.String(length=32), nullable=True),
    sa.Column('cell', sa.BigInteger(), nullable=True),
    sa.Column('score', sa.Double(), nullable=True),
    sa.Column('flight', sa.String(length=64), nullable=True),
    sa.Column('frame', sa.String(length=128), nullable=True),
    sa.Column('round_no', sa.Integer(), nullable=True),
    sa.Column('warnings', sa.JSON(), nullable=False),
    sa.Column('seen_at', Moment(), nullable=True),
    sa.Column('received_at', Moment(), nullable=False),
    sa.Column('expires_at', Moment(), nullable=True),
    sa.Column('reward', sa.Boolean(), nullable=False),
    sa.Column('identity_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('callback_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('receipt_hash', sa.String(length=64), nullable=True),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_sighting_issue_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_sighting_person_id')),
    sa.ForeignKeyConstraint(['relapse_of'], ['issue.id'], name=op.f('fk_sighting_relapse_of')),
    sa.ForeignKeyConstraint(['reviewer_id'], ['person.id'], name=op.f('fk_sighting_reviewer_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sighting')),
    sa.UniqueConstraint('receipt_hash', name=op.f('uq_sighting_receipt_hash')),
    sa.UniqueConstraint('ref', name=op.f('uq_sighting_ref'))
    )
    with op.batch_alter_table('sighting', schema=None) as batch_op:
        batch_op.create_index('ix_sighting_expires', ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_sighting_issue_id'), ['issue_id'], unique=False)
        batch_op.create_index('ix_sighting_near', ['kind', 'cell'], unique=False)
        batch_op.create_index('ix_sighting_state', ['state', 'received_at'], unique=False)

    op.create_table('sign_in',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('made_at', Moment(), nullable=False),
    sa.Column('ends_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_sign_in_account_id')),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_sign_in'))
    )
    with op.batch_alter_table('sign_in', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sign_in_account_id'), ['account_id'], unique=False)

    op.create_table('slip',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('issue_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('serial', sa.Integer(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('printed_number', sa.String(length=64), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('check_code', sa.String(length=10), nullable=False),
    sa.Column('trail_seq', sa.Integer(), nullable=False),
    sa.Column('trail_head', sa.String(length=64), nullable=False),
    sa.Column('made_at', Moment(), nullable=False),
    sa.Column('superseded_by', sa.Integer(), nullable=True),
    sa.Column('pdf_sha256', sa.String(length=64), nullable=True),
    sa.Column('template', sa.String(length=16), nullable=False),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_slip_issue_id')),
    sa.ForeignKeyConstraint(['superseded_by'], ['slip.id'], name=op.f('fk_slip_superseded_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_slip')),
    sa.UniqueConstraint('kind', 'year', 'serial', 'revision', name=op.f('uq_slip_kind_year_serial_revision')),
    sa.UniqueConstraint('number', name=op.f('uq_slip_number'))
    )
    with op.batch_alter_table('slip', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_slip_issue_id'), ['issue_id'], unique=False)

    op.create_table('trail',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('subject', sa.String(length=48), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('issue_id', sa.Integer(), nullable=True),
    sa.Column('event', sa.String(length=32), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=True),
    sa.Column('salt', sa.LargeBinary(), nullable=True),
    sa.Column('facts_digest', sa.String(length=64), nullable=False),
    sa.Column('prev', sa.String(length=64), nullable=False),
    sa.Column('mac', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_trail_issue_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_trail_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trail')),
    sa.UniqueConstraint('subject', 'seq', name=op.f('uq_trail_subject_seq'))
    )
    with op.batch_alter_table('trail', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_trail_at'), ['at'], unique=False)
        batch_op.create_index(batch_op.f('ix_trail_issue_id'), ['issue_id'], unique=False)

    op.create_table('errand',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('handler', sa.String(length=32), nullable=False),
    sa.Column('event', sa.String(length=32), nullable=False),
    sa.Column('group_name', sa.String(length=64), nullable=True),
    sa.Column('issue_id', sa.Integer(), nullable=True),
    sa.Column('slip_id', sa.Integer(), nullable=True),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('urgent', sa.Boolean(), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('made_at', Moment(), nullable=False),
    sa.Column('due_at', Moment(), nullable=False),
    sa.Column('lease_until', Moment(), nullable=True),
    sa.Column('claim', sa.String(length=36), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('pushes', sa.Integer(), nullable=False),
    sa.Column('done_at', Moment(), nullable=True),
    sa.Column('answer', sa.JSON(), nullable=True),
    sa.Column('last_error', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_errand_issue_id')),
    sa.ForeignKeyConstraint(['slip_id'], ['slip.id'], name=op.f('fk_errand_slip_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_errand'))
    )
    with op.batch_alter_table('errand', schema=None) as batch_op:
        batch_op.create_index('ix_errand_due', ['state', 'due_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_errand_group_name'), ['group_name'], unique=False)
        batch_op.create_index(batch_op.f('ix_errand_issue_id'), ['issue_id'], unique=False)

    op.create_table('false_spot',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('cell', sa.BigInteger(), nullable=False),
    sa.Column('lon', sa.Double(), nullable=False),
    sa.Column('lat', sa.Double(), nullable=False),
    sa.Column('until', Moment(), nullable=False),
    sa.Column('sighting_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['sighting_id'], ['sighting.id'], name=op.f('fk_false_spot_sighting_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_false_spot'))
    )
    with op.batch_alter_table('false_spot', schema=None) as batch_op:
        batch_op.create_index('ix_false_spot_near', ['kind', 'cell'], unique=False)

    op.create_table('photo',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=36), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('sealed_sha256', sa.String(length=64), nullable=True),
    sa.Column('issue_id', sa.Integer(), nullable=True),
    sa.Column('sighting_id', sa.Integer(), nullable=True),
    sa.Column('stage', sa.String(length=16), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('step', sa.String(length=32), nullable=True),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('unit', sa.String(length=32), nullable=True),
    sa.Column('received_at', Moment(), nullable=False),
    sa.Column('format', sa.String(length=8), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('bytes', sa.Integer(), nullable=False),
    sa.Column('phash', sa.String(length=16), nullable=True),
    sa.Column('taken_at', Moment(), nullable=True),
    sa.Column('taken_words', sa.String(length=40), nullable=True),
    sa.Column('lon', sa.Double(), nullable=True),
    sa.Column('lat', sa.Double(), nullable=True),
    sa.Column('accuracy_m', sa.Double(), nullable=True),
    sa.Column('source', sa.String(length=16), nullable=True),
    sa.Column('beyond_m', sa.Double(), nullable=True),
    sa.Column('flags', sa.JSON(), nullable=False),
    sa.Column('released', sa.Boolean(), nullable=False),
    sa.Column('warnings', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_photo_issue_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_photo_person_id')),
    sa.ForeignKeyConstraint(['sighting_id'], ['sighting.id'], name=op.f('fk_photo_sighting_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_photo')),
    sa.UniqueConstraint('ref', name=op.f('uq_photo_ref'))
    )
    with op.batch_alter_table('photo', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_photo_issue_id'), ['issue_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_photo_sha256'), ['sha256'], unique=False)
        batch_op.create_index(batch_op.f('ix_photo_sighting_id'), ['sighting_id'], unique=False)

    op.create_table('request',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('issue_id', sa.Integer(), nullable=False),
    sa.Column('step', sa.String(length=32), nullable=False),
    sa.Column('approval', sa.String(length=16), nullable=False),
    sa.Column('rung', sa.Integer(), nullable=False),
    sa.Column('asker_id', sa.Integer(), nullable=True),
    sa.Column('asker_sighting_id', sa.Integer(), nullable=True),
    sa.Column('asker_role', sa.String(length=16), nullable=False),
    sa.Column('body', sa.JSON(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('asked_at', Moment(), nullable=False),
    sa.Column('decide_by', Moment(), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('decider_id', sa.Integer(), nullable=True),
    sa.Column('decided_at', Moment(), nullable=True),
    sa.Column('words', sa.String(), nullable=False),
    sa.CheckConstraint("decider_id IS NULL OR asker_id IS NULL OR state = 'withdrawn' OR decider_id <> asker_id", name=op.f('ck_request_two_persons')),
    sa.ForeignKeyConstraint(['asker_id'], ['person.id'], name=op.f('fk_request_asker_id')),
    sa.ForeignKeyConstraint(['asker_sighting_id'], ['sighting.id'], name=op.f('fk_request_asker_sighting_id')),
    sa.ForeignKeyConstraint(['decider_id'], ['person.id'], name=op.f('fk_request_decider_id')),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_request_issue_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_request'))
    )
    with op.batch_alter_table('request', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_request_issue_id'), ['issue_id'], unique=False)
        batch_op.create_index('uq_request_open', ['issue_id', 'step'], unique=True, sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))

    op.create_table('clock',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('issue_id', sa.Integer(), nullable=True),
    sa.Column('sighting_id', sa.Integer(), nullable=True),
    sa.Column('request_id', sa.Integer(), nullable=True),
    sa.Column('name', sa.String(length=16), nullable=False),
    sa.Column('instance', sa.Integer(), nullable=False),
    sa.Column('follows_id', sa.Integer(), nullable=True),
    sa.Column('marks', sa.JSON(), nullable=False),
    sa.Column('opens', sa.String(length=16), nullable=True),
    sa.Column('policy', sa.String(length=32), nullable=False),
    sa.Column('calendar', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('due_at', Moment(), nullable=True),
    sa.Column('first_due_at', Moment(), nullable=True),
    sa.Column('estimated', sa.Boolean(), nullable=False),
    sa.Column('fired', sa.Integer(), nullable=False),
    sa.Column('next_at', Moment(), nullable=True),
    sa.Column('grace', sa.Boolean(), nullable=False),
    sa.Column('exempt', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['follows_id'], ['clock.id'], name=op.f('fk_clock_follows_id')),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_clock_issue_id')),
    sa.ForeignKeyConstraint(['request_id'], ['request.id'], name=op.f('fk_clock_request_id')),
    sa.ForeignKeyConstraint(['sighting_id'], ['sighting.id'], name=op.f('fk_clock_sighting_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_clock'))
    )
    with op.batch_alter_table('clock', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_clock_issue_id'), ['issue_id'], unique=False)
        batch_op.create_index('ix_clock_next', ['next_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_clock_request_id'), ['request_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_clock_sighting_id'), ['sighting_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('clock', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_clock_sighting_id'))
        batch_op.drop_index(batch_op.f('ix_clock_request_id'))
        batch_op.drop_index('ix_clock_next')
        batch_op.drop_index(batch_op.f('ix_clock_issue_id'))

    op.drop_table('clock')
    with op.batch_alter_table('request', schema=None) as batch_op:
        batch_op.drop_index('uq_request_open', sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))
        batch_op.drop_index(batch_op.f('ix_request_issue_id'))

    op.drop_table('request')
    with op.batch_alter_table('photo', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_photo_sighting_id'))
        batch_op.drop_index(batch_op.f('ix_photo_sha256'))
        batch_op.drop_index(batch_op.f('ix_photo_issue_id'))

    op.drop_table('photo')
    with op.batch_alter_table('false_spot', schema=None) as batch_op:
        batch_op.drop_index('ix_false_spot_near')

    op.drop_table('false_spot')
    with op.batch_alter_table('errand', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_errand_issue_id'))
        batch_op.drop_index(batch_op.f('ix_errand_group_name'))
        batch_op.drop_index('ix_errand_due')

    op.drop_table('errand')
    with op.batch_alter_table('trail', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_trail_issue_id'))
        batch_op.drop_index(batch_op.f('ix_trail_at'))

    op.drop_table('trail')
    with op.batch_alter_table('slip', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_slip_issue_id'))

    op.drop_table('slip')
    with op.batch_alter_table('sign_in', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_sign_in_account_id'))

    op.drop_table('sign_in')
    with op.batch_alter_table('sighting', schema=None) as batch_op:
        batch_op.drop_index('ix_sighting_state')
        batch_op.drop_index('ix_sighting_near')
        batch_op.drop_index(batch_op.f('ix_sighting_issue_id'))
        batch_op.drop_index('ix_sighting_expires')

    op.drop_table('sighting')
    op.drop_table('token')
    with op.batch_alter_table('issue', schema=None) as batch_op:
        batch_op.drop_index('ix_issue_unit')
        batch_op.drop_index('ix_issue_state_changed')
        batch_op.drop_index('ix_issue_near')
        batch_op.drop_index('ix_issue_changed')

    op.drop_table('issue')
    op.drop_table('duty')
    op.drop_table('delegation')
    op.drop_table('account')
    with op.batch_alter_table('send', schema=None) as batch_op:
        batch_op.drop_index('ix_send_group_at')

    op.drop_table('send')
    op.drop_table('person')
    op.drop_table('counter')
    op.drop_table('channel')
    op.drop_table('chain')
    op.drop_table('calendar_year')
    op.drop_table('calendar_kept')
    op.drop_table('calendar_day')
    op.drop_table('beat')
    with op.batch_alter_table('answer', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_answer_at'))

    op.drop_table('answer')
    with op.batch_alter_table('anchor', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_anchor_subject'))

    op.drop_table('anchor')
