"""many hands: rewards, points, volunteer teams, what they watch"""

from alembic import op
import sqlalchemy as sa

from patrol.models.base import Moment


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('good',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('price', sa.Integer(), nullable=False),
    sa.Column('stock', sa.Integer(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.CheckConstraint('price > 0', name=op.f('ck_good_price')),
    sa.CheckConstraint('stock >= 0', name=op.f('ck_good_stock')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_good')),
    sa.UniqueConstraint('name', name=op.f('uq_good_name'))
    )
    op.create_table('lesson',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(length=60), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('place_words', sa.String(length=200), nullable=False),
    sa.Column('starts_at', Moment(), nullable=False),
    sa.Column('ends_at', Moment(), nullable=False),
    sa.Column('seats', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('came', sa.Integer(), nullable=False),
    sa.Column('came_children', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lesson'))
    )
    op.create_table('spot',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=16), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('chainage_m', sa.Double(), nullable=False),
    sa.Column('bank', sa.String(length=8), nullable=False),
    sa.Column('lon', sa.Double(), nullable=False),
    sa.Column('lat', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_spot')),
    sa.UniqueConstraint('code', name=op.f('uq_spot_code'))
    )
    op.create_table('team',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('heads', sa.Integer(), nullable=False),
    sa.Column('from_m', sa.Double(), nullable=True),
    sa.Column('to_m', sa.Double(), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('made_at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_team')),
    sa.UniqueConstraint('name', name=op.f('uq_team_name'))
    )
    op.create_table('lesson_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('lesson_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('code_hash', sa.String(length=64), nullable=True),
    sa.Column('adults', sa.Integer(), nullable=False),
    sa.Column('children', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.CheckConstraint('adults >= 0 AND children >= 0 AND adults + children > 0', name=op.f('ck_lesson_entry_heads')),
    sa.ForeignKeyConstraint(['lesson_id'], ['lesson.id'], name=op.f('fk_lesson_entry_lesson_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_lesson_entry_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lesson_entry')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_lesson_entry_code_hash')),
    sa.UniqueConstraint('lesson_id', 'person_id', name=op.f('uq_lesson_entry_lesson_id_person_id'))
    )
    with op.batch_alter_table('lesson_entry', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_lesson_entry_lesson_id'), ['lesson_id'], unique=False)

    op.create_table('member',
    sa.Column('team_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('leader', sa.Boolean(), nullable=False),
    sa.Column('since', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_member_person_id')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_member_team_id')),
    sa.PrimaryKeyConstraint('team_id', 'person_id', name=op.f('pk_member'))
    )
    op.create_table('observation',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('series', sa.String(length=16), nullable=False),
    sa.Column('spot_id', sa.Integer(), nullable=False),
    sa.Column('team_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('on', sa.Date(), nullable=False),
    sa.Column('value', sa.Double(), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('dropped', sa.Boolean(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_observation_person_id')),
    sa.ForeignKeyConstraint(['spot_id'], ['spot.id'], name=op.f('fk_observation_spot_id')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_observation_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_observation')),
    sa.UniqueConstraint('series', 'spot_id', 'team_id', 'on', name=op.f('uq_observation_series_spot_id_team_id_on'))
    )
    with op.batch_alter_table('observation', schema=None) as batch_op:
        batch_op.create_index('ix_observation_series', ['series', 'on'], unique=False)

    op.create_table('pay_batch',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('total_yuan', sa.Integer(), nullable=False),
    sa.Column('maker_id', sa.Integer(), nullable=False),
    sa.Column('approver_id', sa.Integer(), nullable=True),
    sa.Column('made_at', Moment(), nullable=False),
    sa.Column('settled_at', Moment(), nullable=True),
    sa.CheckConstraint('approver_id IS NULL OR approver_id <> maker_id', name=op.f('ck_pay_batch_two_persons')),
    sa.ForeignKeyConstraint(['approver_id'], ['person.id'], name=op.f('fk_pay_batch_approver_id')),
    sa.ForeignKeyConstraint(['maker_id'], ['person.id'], name=op.f('fk_pay_batch_maker_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pay_batch')),
    sa.UniqueConstraint('number', name=op.f('uq_pay_batch_number'))
    )
    op.create_table('point_account',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('house', sa.String(length=16), nullable=True),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('team_id', sa.Integer(), nullable=True),
    sa.Column('balance', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("balance >= 0 OR coalesce(house, '') = 'source'", name=op.f('ck_point_account_not_negative')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_point_account_person_id')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_point_account_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_point_account')),
    sa.UniqueConstraint('house', name=op.f('uq_point_account_house')),
    sa.UniqueConstraint('person_id', name=op.f('uq_point_account_person_id')),
    sa.UniqueConstraint('team_id', name=op.f('uq_point_account_team_id'))
    )
    op.create_table('point_move',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('what', sa.String(length=16), nullable=False),
    sa.Column('words', sa.String(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('reverses_id', sa.Integer(), nullable=True),
    sa.Column('on', sa.Date(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_point_move_person_id')),
    sa.ForeignKeyConstraint(['reverses_id'], ['point_move.id'], name=op.f('fk_point_move_reverses_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_point_move')),
    sa.UniqueConstraint('key', name=op.f('uq_point_move_key')),
    sa.UniqueConstraint('reverses_id', name=op.f('uq_point_move_reverses_id'))
    )
    op.create_table('shift',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('team_id', sa.Integer(), nullable=False),
    sa.Column('starts_at', Moment(), nullable=False),
    sa.Column('ends_at', Moment(), nullable=False),
    sa.Column('place_words', sa.String(length=200), nullable=False),
    sa.Column('wanted', sa.Integer(), nullable=False),
    sa.Column('heads', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('confirmer_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['confirmer_id'], ['person.id'], name=op.f('fk_shift_confirmer_id')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_shift_team_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_shift'))
    )
    with op.batch_alter_table('shift', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_shift_team_id'), ['team_id'], unique=False)

    op.create_table('staff_mark',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_staff_mark_person_id')),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_staff_mark'))
    )
    op.create_table('exchange',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('good_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('move_id', sa.Integer(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.Column('hander_id', sa.Integer(), nullable=True),
    sa.Column('settled_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['point_account.id'], name=op.f('fk_exchange_account_id')),
    sa.ForeignKeyConstraint(['good_id'], ['good.id'], name=op.f('fk_exchange_good_id')),
    sa.ForeignKeyConstraint(['hander_id'], ['person.id'], name=op.f('fk_exchange_hander_id')),
    sa.ForeignKeyConstraint(['move_id'], ['point_move.id'], name=op.f('fk_exchange_move_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_exchange')),
    sa.UniqueConstraint('move_id', name=op.f('uq_exchange_move_id')),
    sa.UniqueConstraint('number', name=op.f('uq_exchange_number'))
    )
    with op.batch_alter_table('exchange', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_exchange_account_id'), ['account_id'], unique=False)

    op.create_table('posting',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('move_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('amount <> 0', name=op.f('ck_posting_not_empty')),
    sa.ForeignKeyConstraint(['account_id'], ['point_account.id'], name=op.f('fk_posting_account_id')),
    sa.ForeignKeyConstraint(['move_id'], ['point_move.id'], name=op.f('fk_posting_move_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_posting')),
    sa.UniqueConstraint('move_id', 'account_id', name=op.f('uq_posting_move_id_account_id'))
    )
    with op.batch_alter_table('posting', schema=None) as batch_op:
        batch_op.create_index('ix_posting_account', ['account_id', 'move_id'], unique=False)

    op.create_table('shift_entry',
    sa.Column('shift_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_shift_entry_person_id')),
    sa.ForeignKeyConstraint(['shift_id'], ['shift.id'], name=op.f('fk_shift_entry_shift_id')),
    sa.PrimaryKeyConstraint('shift_id', 'person_id', name=op.f('pk_shift_entry'))
    )
    op.create_table('reward',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('issue_id', sa.Integer(), nullable=False),
    sa.Column('sighting_id', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('applied_at', Moment(), nullable=False),
    sa.Column('decide_by', Moment(), nullable=False),
    sa.Column('proposer_id', sa.Integer(), nullable=True),
    sa.Column('proposed', sa.String(length=16), nullable=True),
    sa.Column('proposed_words', sa.String(), nullable=False),
    sa.Column('decider_id', sa.Integer(), nullable=True),
    sa.Column('decided_at', Moment(), nullable=True),
    sa.Column('grade', sa.String(length=16), nullable=True),
    sa.Column('amount_yuan', sa.Integer(), nullable=True),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('way', sa.String(length=16), nullable=False),
    sa.Column('payee_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('batch_id', sa.Integer(), nullable=True),
    sa.Column('payer_id', sa.Integer(), nullable=True),
    sa.Column('paid_at', Moment(), nullable=True),
    sa.CheckConstraint('amount_yuan IS NULL OR amount_yuan > 0', name=op.f('ck_reward_amount')),
    sa.CheckConstraint('decider_id IS NULL OR proposer_id IS NULL OR decider_id <> proposer_id', name=op.f('ck_reward_two_persons')),
    sa.ForeignKeyConstraint(['batch_id'], ['pay_batch.id'], name=op.f('fk_reward_batch_id')),
    sa.ForeignKeyConstraint(['decider_id'], ['person.id'], name=op.f('fk_reward_decider_id')),
    sa.ForeignKeyConstraint(['issue_id'], ['issue.id'], name=op.f('fk_reward_issue_id')),
    sa.ForeignKeyConstraint(['payer_id'], ['person.id'], name=op.f('fk_reward_payer_id')),
    sa.ForeignKeyConstraint(['proposer_id'], ['person.id'], name=op.f('fk_reward_proposer_id')),
    sa.ForeignKeyConstraint(['sighting_id'], ['sighting.id'], name=op.f('fk_reward_sighting_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reward')),
    sa.UniqueConstraint('number', name=op.f('uq_reward_number')),
    sa.UniqueConstraint('sighting_id', name=op.f('uq_reward_sighting_id'))
    )
    with op.batch_alter_table('reward', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_reward_batch_id'), ['batch_id'], unique=False)
        batch_op.create_index('uq_reward_issue', ['issue_id'], unique=True, sqlite_where=sa.text("state != 'refused'"), postgresql_where=sa.text("state != 'refused'"))


def downgrade() -> None:
    op.drop_table('reward')
    op.drop_table('shift_entry')
    op.drop_table('posting')
    op.drop_table('exchange')
    op.drop_table('staff_mark')
    op.drop_table('shift')
    op.drop_table('point_move')
    op.drop_table('point_account')
    op.drop_table('pay_batch')
    op.drop_table('observation')
    op.drop_table('member')
    op.drop_table('lesson_entry')
    op.drop_table('team')
    op.drop_table('spot')
    op.drop_table('lesson')
    op.drop_table('good')
